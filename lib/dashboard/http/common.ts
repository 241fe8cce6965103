/** A value as JSON carries it: a Date is its ISO 8601 text, such as `2026-01-31T20:00:00.000Z`. */
export type Serialized<T> = T extends Date
  ? string
  : T extends readonly (infer U)[]
    ? Serialized<U>[]
    : T extends object
      ? { [K in keyof T]: Serialized<T[K]> }
      : T;

/**
 * A page of a list.
 *
 * @example
 * ```ts
 * async function* executionsOf(tenant: string): AsyncGenerator<ExecutionRow> {
 *   const path = `https://example.com/cloacina/api/tenants/${encodeURIComponent(tenant)}/executions`;
 *   for (let cursor: string | null = ''; cursor !== null; ) {
 *     const response = await fetch(`${path}?cursor=${encodeURIComponent(cursor)}`);
 *     const page = (await response.json()) as Page<ExecutionRow>;
 *     yield* page.items;
 *     cursor = page.nextCursor;
 *   }
 * }
 * ```
 */
export interface Page<T> {
  /** The items of this page, in the order that the call documents. */
  items: T[];
  /** Where the next page begins: the `cursor` of the next call, or the parameter that the call names. Null on the last page. */
  nextCursor: string | null;
}

/**
 * The body of every response with a status of 400 and above: `application/problem+json`, RFC 9457.
 *
 * A tenant that the user may not see gets the same problem as one that does not exist: 404 with the code `NOT_FOUND`.
 */
export interface Problem {
  /** Always `about:blank`: `code` tells the problems apart. */
  type: 'about:blank';
  /** The name of the status, such as `Not found`. */
  title: string;
  /** The HTTP status of the response. */
  status: number;
  /** What is wrong, as a sentence for people. It may change with any version. */
  detail: string;
  /**
   * What is wrong, for programs. The code of the library's error, such as `UNKNOWN_EXECUTION`, or the name of the HTTP status,
   * such as `FORBIDDEN`. Codes are stable.
   */
  code: string;
}

/** Response of `GET api/session`: what the user of the request may do. */
export interface Session {
  /** Who the user is, as the option `actor` says. Absent without the option, or if it returns no name. */
  actor?: string;
  /** Whether all actions are refused, by the option `readOnly`. */
  readOnly: boolean;
  /** The number of tenants that the user may see. */
  tenants: number;
  /** The names of these tenants, in alphabetical order; of more than 1,000, the first 1,000. */
  tenantNames: string[];
  /** The time between two reads of a page that gets no server-sent events, in milliseconds. */
  pollMs: number;
}

/**
 * A number that was counted up to a cap. `{ count: 10000, isCapped: true }` means "10,000 or more"; the page shows it as
 * `10,000+`.
 */
export interface CappedCount {
  /** The exact number, or a lower limit if `isCapped` is true. */
  count: number;
  /** Whether the count stopped before it had counted all. */
  isCapped: boolean;
}
