import { createHash } from 'node:crypto';
import { LEASE_NOTICE } from '../../store/port/index.js';

/** A message of a process to the others. */
export type Notification =
  /** The processes or the tenants have changed. No change is named: the receivers read the locks or the catalog. */
  | { readonly kind: 'processes' }
  | { readonly kind: 'tenants' }
  /** At least one process has leases, so the processes watch each other. */
  | { readonly kind: 'leases' }
  /** The sender has swept tenants and found nothing to do. The digest identifies the read rows. */
  | { readonly kind: 'swept'; readonly digest: string }
  | WorkNotification
  /** Signals or events were sent to a tenant in a transaction. */
  | { readonly kind: 'messages'; readonly tenant: string }
  /** Workflows of a tenant were paused or resumed. */
  | { readonly kind: 'pauses'; readonly tenant: string }
  /** A schedule of a tenant has changed. */
  | { readonly kind: 'schedules'; readonly tenant: string }
  /** A tenant begins or ends to move to another server. */
  | { readonly kind: 'moves'; readonly tenant: string }
  /** Executions of a tenant have children. */
  | { readonly kind: 'children'; readonly tenant: string }
  | {
      readonly kind: 'cancelled' | 'changed' | 'ended' | 'paused' | 'watched';
      readonly tenant: string;
      readonly executionId: string;
    };

/** Tasks of a tenant are ready. */
export interface WorkNotification {
  readonly kind: 'work';
  readonly tenant: string;
  /** Tags of the processes that are to claim, at most {@link MAX_NAMED}. Undefined for all. */
  readonly named?: readonly string[];
  /** Tag of the process that was named and passes the wake-up on to all, because it can't take the work. */
  readonly passedOnBy?: string;
}

/** Maximum number of processes in a work notification. More are not named: the notification is for all. */
export const MAX_NAMED = 4;

const PROCESSES = 'h';
const TENANTS = 't';
const SWEPT = /^s([0-9a-f]{32})$/;
const LETTERS = { cancelled: 'c', changed: 'u', ended: 'e', paused: 'p', watched: 'v' } as const;
const KINDS = { c: 'cancelled', u: 'changed', e: 'ended', p: 'paused', v: 'watched' } as const;
const MESSAGES = /^m([0-9a-f]{16})$/;
const SCHEDULES = /^d([0-9a-f]{16})$/;
const PAUSES = /^b([0-9a-f]{16})$/;
const MOVES = /^x([0-9a-f]{16})$/;
const CHILDREN = /^k([0-9a-f]{16})$/;
const OF_EXECUTION = /^([a-z])([0-9a-f]{16})([0-9a-f-]{36})$/;
const WORK = new RegExp(`^w([0-9a-f]{16})(?:([:!])((?:[0-9a-f]{8}){1,${MAX_NAMED}}))?$`);
const TAG_LENGTH = 8;
const TAG = new RegExp(`.{${TAG_LENGTH}}`, 'g');

/** Names a process in notifications, by the lock that proves that it lives. */
export function tagOf(lockSession: string): string {
  return createHash('sha256').update(lockSession).digest('hex').slice(0, TAG_LENGTH);
}

/** The payload of a notification. It has a hash in place of the tenant's name, because every role may listen. */
export function encodeNotification(notification: Notification): string {
  if (notification.kind === 'processes') return PROCESSES;
  if (notification.kind === 'tenants') return TENANTS;
  if (notification.kind === 'leases') return LEASE_NOTICE;
  if (notification.kind === 'swept') return `s${notification.digest}`;
  if (notification.kind === 'work') return encodeWork(notification);
  if (notification.kind === 'messages') return `m${notification.tenant}`;
  if (notification.kind === 'schedules') return `d${notification.tenant}`;
  if (notification.kind === 'pauses') return `b${notification.tenant}`;
  if (notification.kind === 'moves') return `x${notification.tenant}`;
  if (notification.kind === 'children') return `k${notification.tenant}`;
  return `${LETTERS[notification.kind]}${notification.tenant}${notification.executionId}`;
}

function encodeWork({ tenant, named, passedOnBy }: WorkNotification): string {
  if (named !== undefined) return `w${tenant}:${named.join('')}`;
  return passedOnBy === undefined ? `w${tenant}` : `w${tenant}!${passedOnBy}`;
}

function isLetter(letter: string | undefined): letter is keyof typeof KINDS {
  return letter !== undefined && letter in KINDS;
}

/** The notification in a payload; undefined for a payload that is not the library's. */
export function decodeNotification(payload: string): Notification | undefined {
  if (payload === PROCESSES) return { kind: 'processes' };
  if (payload === TENANTS) return { kind: 'tenants' };
  if (payload === LEASE_NOTICE) return { kind: 'leases' };
  const [, digest] = SWEPT.exec(payload) ?? [];
  if (digest !== undefined) return { kind: 'swept', digest };
  if (payload.startsWith('w')) return decodeWork(payload);
  const [, receiver] = MESSAGES.exec(payload) ?? [];
  if (receiver !== undefined) return { kind: 'messages', tenant: receiver };
  const [, scheduled] = SCHEDULES.exec(payload) ?? [];
  if (scheduled !== undefined) return { kind: 'schedules', tenant: scheduled };
  const [, paused] = PAUSES.exec(payload) ?? [];
  if (paused !== undefined) return { kind: 'pauses', tenant: paused };
  const [, moving] = MOVES.exec(payload) ?? [];
  if (moving !== undefined) return { kind: 'moves', tenant: moving };
  const [, parental] = CHILDREN.exec(payload) ?? [];
  if (parental !== undefined) return { kind: 'children', tenant: parental };
  const [, letter, tenant, executionId] = OF_EXECUTION.exec(payload) ?? [];
  if (tenant === undefined || executionId === undefined || !isLetter(letter)) return undefined;
  return { kind: KINDS[letter], tenant, executionId };
}

function decodeWork(payload: string): WorkNotification | undefined {
  const [, tenant, form, tags = ''] = WORK.exec(payload) ?? [];
  if (tenant === undefined) return undefined;
  if (form === ':') {
    return { kind: 'work', tenant, named: tags.match(TAG) ?? [] };
  }
  if (form === '!') {
    return tags.length === TAG_LENGTH ? { kind: 'work', tenant, passedOnBy: tags } : undefined;
  }
  return { kind: 'work', tenant };
}
