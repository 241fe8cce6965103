import type { Writable } from 'node:stream';

/** Writes one JSON document. Dates are ISO 8601 texts in UTC; what is undefined is left out. */
export function printJson(stdout: Writable, document: object): void {
  stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
