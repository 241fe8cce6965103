import { HttpStatus } from '@nestjs/common';
import type { ExecutionFilter } from '../runner/execution-filter.js';
import type { ExecutionStatus } from '../workflow/index.js';
import { DashboardProblem } from './problem.js';

/** A parsed query string, or the body of a request. */
export type Fields = Readonly<Record<string, unknown>>;

export function invalid(detail: string): DashboardProblem {
  return new DashboardProblem(HttpStatus.BAD_REQUEST, 'INVALID_ARGUMENT', detail);
}

/** The values of a field that may be repeated. */
export function texts(fields: Fields, name: string): string[] {
  const value = fields[name];
  if (value === undefined || value === '') return [];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.map((one) => {
    if (typeof one === 'string') return one;
    throw invalid(`${name} must be a string.`);
  });
}

export function text(fields: Fields, name: string): string | undefined {
  const [value, ...more] = texts(fields, name);
  if (more.length > 0) throw invalid(`${name} must be given once.`);
  return value;
}

export function count(fields: Fields, name: string, max: number): number | undefined {
  const value = fields[name];
  if (value === undefined || value === '') return undefined;
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw invalid(`${name} must be a whole number from 1 to ${max}.`);
}

export function date(fields: Fields, name: string): Date | undefined {
  const value = text(fields, name);
  if (value === undefined) return undefined;
  const time = new Date(value);
  if (!Number.isNaN(time.getTime())) return time;
  throw invalid(`${name} must be a time in ISO format, such as 2026-01-31T20:00:00Z.`);
}

export function flag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (value === undefined || value === '') return undefined;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw invalid(`${name} must be true or false.`);
}

/** One of several texts. */
export function choice<const T extends string>(
  fields: Fields,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = text(fields, name);
  if (value === undefined) return undefined;
  const known = choices.find((one) => one === value);
  if (known !== undefined) return known;
  throw invalid(`${name} must be one of ${choices.join(', ')}.`);
}

/** A JSON object as body; an absent one is empty. */
export function bodyOf(body: unknown): Fields {
  if (body === undefined || body === null || body === '') return {};
  if (typeof body === 'object' && !Array.isArray(body)) return body as Fields;
  throw invalid('The body must be a JSON object.');
}

/** The conditions of a filter, without the page. The runner checks the values. */
export function conditionsOf(
  fields: Fields,
): Omit<ExecutionFilter, 'limit' | 'cursor' | 'maxRead'> {
  const status = texts(fields, 'status') as ExecutionStatus[];
  const tags = tagsOf(texts(fields, 'tag'));
  const given = {
    workflow: text(fields, 'workflow'),
    status: status.length === 0 ? undefined : status,
    tags,
    createdAfter: date(fields, 'createdAfter'),
    createdBefore: date(fields, 'createdBefore'),
    idempotencyKey: text(fields, 'idempotencyKey'),
    waitingFor: text(fields, 'waitingFor'),
    parent: text(fields, 'parent'),
    root: text(fields, 'root'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function tagsOf(pairs: readonly string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined;
  return Object.fromEntries(
    pairs.map((pair) => {
      const colon = pair.indexOf(':');
      if (colon < 1) throw invalid('tag must be name:value.');
      return [pair.slice(0, colon), pair.slice(colon + 1)];
    }),
  );
}
