import type { Writable } from 'node:stream';

/** Characters that JSON leaves as they are, and that a terminal may obey. */
const OBEYED = /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Writes one JSON document. Dates are ISO 8601 texts in UTC; undefined members are left out. */
export function printJson(stdout: Writable, document: object): void {
  const json = JSON.stringify(document, null, 2).replaceAll(
    OBEYED,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  stdout.write(`${json}\n`);
}
