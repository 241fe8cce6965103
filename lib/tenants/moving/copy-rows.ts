import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';

type CopyStreams = typeof import('pg-copy-streams');

/** Bytes of a stream that may wait for the slower server, on each of its two ends. */
const BUFFER_BYTES = 256 * 1024;

/** Streams rows from one connection into another. */
export interface RowCopy {
  readonly from: pg.ClientBase;
  /** A query, in parentheses, or a table with its columns. */
  readonly query: string;
  readonly to: pg.ClientBase;
  /** The table with its columns. */
  readonly into: string;
  readonly isBinary: boolean;
  /** Further options of COPY … FROM. */
  readonly options?: string;
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Copies rows from one server to the other, and returns their number. The slower server sets the pace, and no more than a few
 * hundred kilobytes are in memory. After a failure neither connection can be used.
 */
export async function copyRows(copy: RowCopy): Promise<number> {
  const { from, query, to, into, isBinary, options = '', onBytes } = copy;
  const streams = await loadStreams();
  const format = `FORMAT ${isBinary ? 'binary' : 'text'}`;
  const rows = streams.to(`COPY ${query} TO STDOUT (${format})`, { highWaterMark: BUFFER_BYTES });
  const table = streams.from(`COPY ${into} FROM STDIN (${format}${options})`, {
    highWaterMark: BUFFER_BYTES,
  });
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      onBytes?.(chunk.length);
      done(null, chunk);
    },
  });
  from.query(rows);
  to.query(table);
  await pipeline(rows, count, table);
  return table.rowCount;
}

let loaded: Promise<CopyStreams> | undefined;

/** Only a move needs the package, so no other process loads it. */
function loadStreams(): Promise<CopyStreams> {
  loaded ??= import('pg-copy-streams').then((module) => {
    const streams = module as CopyStreams & { readonly default?: CopyStreams };
    return streams.default ?? streams;
  });
  return loaded;
}
