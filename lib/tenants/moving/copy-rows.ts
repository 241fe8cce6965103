import type { Readable, Writable } from 'node:stream';
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
  const lost = connectionsEnd([from, to]);
  try {
    from.query(rows);
    to.query(table);
    await Promise.race([pump(rows, table, onBytes), lost.promise]);
  } finally {
    lost.stop();
  }
  return table.rowCount;
}

/**
 * Passes chunks on, at the pace of the writer. In place of `pipeline()`, which would destroy the writer after a failure: that
 * waits for an answer of the server, and its connection may be gone.
 */
function pump(
  rows: Readable,
  table: Writable,
  onBytes: ((bytes: number) => void) | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    rows.on('error', reject);
    table.on('error', reject);
    table.on('finish', resolve);
    table.on('drain', () => rows.resume());
    rows.on('data', (chunk: Buffer) => {
      onBytes?.(chunk.length);
      if (!table.write(chunk)) rows.pause();
    });
    rows.on('end', () => table.end());
  });
}

/** Rejects when one of the connections ends: the streams do not always notice. */
function connectionsEnd(clients: readonly pg.ClientBase[]): {
  readonly promise: Promise<never>;
  readonly stop: () => void;
} {
  let end = (): void => undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    end = () => reject(new Error('a connection ended'));
  });
  promise.catch(() => undefined);
  for (const client of clients) client.once('end', end);
  return {
    promise,
    stop: () => {
      for (const client of clients) client.off('end', end);
    },
  };
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
