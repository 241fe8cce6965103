import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import {
  columns,
  integer,
  records,
  text,
  type Columns,
} from '../../../lib/store/postgres/statements/columns.js';
import type { BulkStatement, Statement } from '../../../lib/store/postgres/statements/statement.js';
import { openStore, type OpenStore } from './open-store.js';

const folder = new URL('../../../lib/store/postgres/statements/', import.meta.url);

let open: OpenStore;
beforeAll(async () => (open = await openStore()));
afterAll(() => open.close());

interface Described {
  readonly name: string;
  readonly type: string;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

/** What the server says that the statement's rows will be, without running it. */
async function describeResult(client: pg.Client, statement: string): Promise<Described[]> {
  const fields = await new Promise<readonly Field[]>((resolve, reject) => {
    let found: readonly Field[] = [];
    client.query({
      submit: (connection: pg.Connection): void => {
        connection.parse({ name: '', text: statement, types: [] }, true);
        connection.describe({ type: 'S', name: '' }, true);
        connection.sync();
      },
      handleRowDescription: (message: { fields: readonly Field[] }): void => {
        found = message.fields;
      },
      handleError: reject,
      handleReadyForQuery: (): void => resolve(found),
    } as unknown as pg.Submittable);
  });
  const { rows } = await client.query<{ types: string[] }>(
    `SELECT array_agg(format_type(oid, NULL) ORDER BY ord) AS types
     FROM unnest($1::oid[]) WITH ORDINALITY AS t(oid, ord)`,
    [fields.map(({ dataTypeID }) => dataTypeID)],
  );
  return fields.map(({ name }, i) => ({ name, type: rows[0]?.types[i] ?? '' }));
}

function declared({ names, types }: Columns<unknown>): Described[] {
  return names.map((name, i) => ({ name, type: types[i] ?? '' }));
}

const isStatement = (value: unknown): value is Statement =>
  typeof value === 'object' && value !== null && 'text' in value && 'columns' in value;
const isBulk = (value: unknown): value is BulkStatement =>
  typeof value === 'object' && value !== null && 'textFor' in value;

/** Each statement that a file exports, as it is sent. */
async function statementsOf(file: string): Promise<[string, Columns<unknown>, string][]> {
  const exported = (await import(new URL(file, folder).href)) as Record<string, unknown>;
  return Object.entries(exported).flatMap(([name, value]): [string, Columns<unknown>, string][] => {
    if (isStatement(value)) return [[name, value.columns, value.text(open.tables)]];
    if (!isBulk(value)) return [];
    // Two of them: the parts of a UNION have to fit.
    return [[name, value.columns, value.textFor([open.tables, open.tables])]];
  });
}

describe('the columns of statements', () => {
  test.each(readdirSync(folder))('%s declares what PostgreSQL describes', async (file) => {
    for (const [name, list, statement] of await statementsOf(file)) {
      expect([name, await describeResult(open.admin, statement)]).toEqual([name, declared(list)]);
    }
  });

  test('one that is added in the middle shifts no other', async () => {
    const before = columns({ first: integer, last: text });
    const after = columns({ first: integer, added: integer, last: text });
    const rows = async <R>(list: Columns<R>, select: string): Promise<R[]> => {
      const result = await open.admin.query<(string | null)[]>({
        text: `SELECT ${select}`,
        rowMode: 'array',
        types: { getTypeParser: () => (value: string) => value },
      });
      return list.decode(result.rows);
    };
    expect(await rows(before, before.select({ last: "'z'", first: '1' }))).toEqual([
      { first: 1, last: 'z' },
    ]);
    expect(await rows(after, after.select({ last: "'z'", first: '1', added: '2' }))).toEqual([
      { first: 1, added: 2, last: 'z' },
    ]);
    expect(await rows(after, after.selectSome({ last: "'z'" }))).toEqual([
      { first: 0, added: 0, last: 'z' },
    ]);
  });

  test('records are as many as the statement changed', async () => {
    const changed = records('bigint', { no: 'integer', done: 'flag', token: 'integer' });
    const element = changed.element({ token: 'n * 8589934592', no: 'n', done: 'n = 2' });
    const { rows } = await open.admin.query<{ found: string; none: string | null }>(
      `SELECT array_agg(${element} ORDER BY n)::text AS found, array_agg(${element}) FILTER (WHERE false)::text AS none
       FROM generate_series(1, 2) n`,
    );
    expect(changed.column.decode(rows[0]?.found ?? null)).toEqual([
      { no: 1, done: false, token: 2 ** 33 },
      { no: 2, done: true, token: 2 ** 34 },
    ]);
    expect(changed.column.decode(rows[0]?.none ?? null)).toEqual([]);
  });
});
