import type pg from 'pg';
import type { FindingFact, FindingSeverity } from './doctor-types.js';
import type { ShapeLine } from './schema-shape.js';

/** A fault, as a check finds it. */
export interface Found {
  /** What was found where, as a sentence. */
  readonly detail: string;
  readonly facts: Readonly<Record<string, FindingFact>>;
  /** Default: that of the check. */
  readonly severity?: FindingSeverity;
}

/** What checks of the database get. */
export interface Examination {
  /** A connection in a transaction that can't write, with `pg_catalog` as its path. */
  readonly client: pg.Client;
  /** The settings of the connection, for checks that need one more. */
  readonly config: pg.ClientConfig;
  /** The role of the application, whose rights are checked. */
  readonly role: string;
  /** The time of this process, in milliseconds. */
  readonly now: () => number;
}

/** What checks of a tenant get. */
export interface TenantExamination extends Examination {
  readonly schema: string;
  /** The qualified and quoted name of one of the library's tables: `table('signal')`. */
  readonly table: (name: string) => string;
  /** The names of the applied migrations of the library. */
  readonly applied: readonly string[];
  /** What the applied migrations make, on this server. */
  readonly expectedShape: () => Promise<readonly ShapeLine[]>;
}

interface CheckFacts {
  /** Stable: options and reports name the check by it. */
  readonly id: string;
  readonly severity: FindingSeverity;
  readonly title: string;
  /** What to do, as sentences. */
  readonly advice: (found: Found, schema: string) => string;
}

/** A check of the database or of the connection. */
export interface DatabaseCheck extends CheckFacts {
  readonly scope: 'database';
  /** Whether it runs in a transaction that can't write. Default: true. */
  readonly inTransaction?: false;
  readonly find: (examination: Examination) => Promise<Found[]>;
}

/** A check of one tenant. */
export interface TenantCheck extends CheckFacts {
  readonly scope: 'tenant';
  /** What it needs: only the catalog, the history of migrations too, or rows of the library's tables. */
  readonly reads: 'catalog' | 'history' | 'rows';
  readonly find: (examination: TenantExamination) => Promise<Found[]>;
}

/** Thrown by a check that can't be made here. */
export class CheckSkipped extends Error {}

/** `1 task`, `2 tasks`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;
}

/** A time span in words that are exact enough for people: `3 min`, `2 h`. */
export function inWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** The first names of a list, and how many more there are. */
export function firstOf(names: readonly string[], max = 5): string {
  const more = names.length - max;
  return names.slice(0, max).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
