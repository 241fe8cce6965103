import type { WorkflowRef } from '../discovery/workflow-ref.js';
import { checkCallOptions } from '../errors/call-options.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { LimitChange } from '../store/port/index.js';
import {
  admissionLimitName,
  checkLimitName,
  checkNumbers,
  FAIR_LIMIT,
  isBuiltInName,
  keyProblem,
  limitKeyOf,
} from '../workflow/index.js';
import type {
  AdmissionFilter,
  AdmissionSettings,
  LimitFilter,
  LimitKeyRef,
  LimitSettings,
} from './limit-state.js';
import { checkMaxRead } from './max-read.js';

const REF: ReadonlySet<string> = new Set<keyof LimitKeyRef>(['name', 'key']);
const SETTINGS: ReadonlySet<string> = new Set<keyof LimitSettings>([
  'concurrency',
  'rate',
  'total',
  'key',
  'weight',
]);
const FILTER: ReadonlySet<string> = new Set<keyof LimitFilter>([
  'name',
  'full',
  'limit',
  'cursor',
  'maxRead',
]);
const ADMISSION_SETTINGS: ReadonlySet<string> = new Set<keyof AdmissionSettings>([
  'concurrency',
  'rate',
  'key',
]);
const ADMISSION_FILTER: ReadonlySet<string> = new Set<keyof AdmissionFilter>([
  'workflow',
  'full',
  'limit',
  'cursor',
]);
const MAX_WEIGHT = 1_000;
const DEFAULT_PAGE = 50;
const MAX_PAGE = 500;

/** @throws InvalidArgumentError for a name that is not valid */
function checkName(argument: string, name: unknown): string {
  const problems: string[] = [];
  const checked = checkLimitName(name, (problem) => problems.push(problem));
  if (problems[0] === undefined) return checked;
  throw new InvalidArgumentError(argument, `must name a limit, and ${problems[0]}`);
}

/** The stored form of a limit and a key. */
export function checkLimitKey(argument: string, ref: LimitKeyRef): string {
  checkCallOptions(argument, ref, REF);
  const name = checkName(argument, ref.name);
  return limitKeyOf(name, ref.key === undefined ? '' : checkKey(argument, ref.key));
}

function checkKey(argument: string, key: unknown): string {
  const text = typeof key === 'number' ? String(key) : key;
  const problem =
    typeof text === 'string'
      ? keyProblem(text)
      : `is ${formatValue(key)}, not a string or a number`;
  if (typeof text === 'string' && problem === undefined) return text;
  throw new InvalidArgumentError(argument, `has a key that ${problem ?? ''}`);
}

/** @throws InvalidArgumentError for an unknown option, and for numbers that are not valid */
export function checkSettings(
  name: string,
  settings: LimitSettings,
): { readonly limitKey: string | undefined; readonly change: LimitChange } {
  checkCallOptions('limits.set()', settings, SETTINGS);
  if (isBuiltInName(checkName('name', name)) && name !== FAIR_LIMIT) {
    throw new InvalidArgumentError(
      'name',
      'is that of a limit of the library, whose numbers are fixed',
    );
  }
  const { key, weight, ...numbers } = settings;
  const limitKey = key === undefined ? undefined : checkLimitKey('key', { name, key });
  if (limitKey === undefined && weight !== undefined) {
    throw new InvalidArgumentError('weight', 'is that of a key; specify the key too');
  }
  if (limitKey !== undefined && numbers.total !== undefined) {
    throw new InvalidArgumentError('total', 'is that of all keys; leave out the key');
  }
  return { limitKey, change: { ...checkChange(numbers), weight: checkWeight(weight) } };
}

/** Numbers to set; those that are null are to be those of the code again. */
function checkChange(numbers: Omit<LimitSettings, 'key' | 'weight'>): LimitChange {
  const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== null));
  const checked = checkNumbers(given, (problem) => {
    throw new InvalidArgumentError('settings', problem);
  });
  const cleared = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value === null));
  return { ...checked, ...cleared };
}

function checkWeight(weight: number | null | undefined): number | null | undefined {
  if (weight === undefined || weight === null) return weight;
  if (Number.isInteger(weight) && weight >= 1 && weight <= MAX_WEIGHT) return weight;
  throw new InvalidArgumentError(
    'weight',
    `must be a whole number from 1 to ${MAX_WEIGHT}, not ${formatValue(weight)}`,
  );
}

/** @throws InvalidArgumentError for an unknown option, and for numbers that are not valid */
export function checkAdmissionSettings(
  workflow: string,
  settings: AdmissionSettings,
): { readonly name: string; readonly limitKey: string | undefined; readonly change: LimitChange } {
  checkCallOptions('limits.setAdmission()', settings, ADMISSION_SETTINGS);
  const { key, ...numbers } = settings;
  const name = admissionLimitName(workflow);
  const limitKey = key === undefined ? undefined : limitKeyOf(name, checkKey('key', key));
  return { name, limitKey, change: checkChange(numbers) };
}

export interface CheckedAdmissionFilter {
  readonly workflow: string | null;
  readonly full: boolean;
  readonly limit: number;
  readonly after: string | null;
}

/** @throws InvalidArgumentError for an unknown option, and for values that are not valid */
export function checkAdmissionFilter(
  filter: AdmissionFilter,
  nameOf: (workflow: WorkflowRef) => string,
): CheckedAdmissionFilter {
  checkCallOptions('limits.listAdmissions()', filter, ADMISSION_FILTER);
  const { workflow, ...page } = filter;
  return { ...checkPage(page), workflow: workflow === undefined ? null : nameOf(workflow) };
}

export interface CheckedLimitFilter {
  readonly name: string | null;
  readonly full: boolean;
  readonly limit: number;
  readonly after: string | null;
  readonly maxRead: number;
}

/** @throws InvalidArgumentError for an unknown option, and for values that are not valid */
export function checkLimitFilter(filter: LimitFilter): CheckedLimitFilter {
  checkCallOptions('limits.list()', filter, FILTER);
  const { name, maxRead, ...page } = filter;
  return {
    ...checkPage(page),
    name: name === undefined ? null : checkName('name', name),
    maxRead: checkMaxRead(maxRead) ?? Infinity,
  };
}

function checkPage({
  full = false,
  limit = DEFAULT_PAGE,
  cursor,
}: Omit<LimitFilter, 'name' | 'maxRead'>): Omit<CheckedLimitFilter, 'name' | 'maxRead'> {
  if (typeof full !== 'boolean') {
    throw new InvalidArgumentError('full', `must be true or false, not ${formatValue(full)}`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new InvalidArgumentError(
      'limit',
      `must be a whole number from 1 to ${MAX_PAGE}, not ${formatValue(limit)}`,
    );
  }
  return { full, limit, after: cursor === undefined ? null : decodeCursor(cursor) };
}

export function encodeLimitCursor(limitKey: string): string {
  return Buffer.from(limitKey).toString('base64url');
}

function decodeCursor(cursor: string): string {
  const key = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  if (key.includes('\u001f') && !key.includes('\u0000')) return key;
  throw new InvalidArgumentError('cursor', 'must be the nextCursor of an earlier page');
}
