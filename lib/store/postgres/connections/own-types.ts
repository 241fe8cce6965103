import type pg from 'pg';

/**
 * Parsers for the library's own reads. The driver's parsers are global, and the application may have replaced them with
 * `pg.types.setTypeParser`. Types that are not listed stay text, as the server sent them.
 */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<
  number,
  (text: string) => unknown
>([
  [16, (text) => text === 't'], // bool
  [21, Number], // int2
  [23, Number], // int4
  [26, Number], // oid
  [700, Number], // float4
  [701, Number], // float8
  [114, JSON.parse],
  [3802, JSON.parse], // jsonb
  [1003, parseArray], // name[]
  [1009, parseArray], // text[]
  [1015, parseArray], // varchar[]
]);

const asText = (text: string): string => text;

/** For the option `types` of a query, or of a connection that only the library uses. */
export const OWN_TYPES = {
  getTypeParser: (oid: number): ((text: string) => unknown) => PARSERS.get(oid) ?? asText,
};

/**
 * Runs a query of the library on a connection that the application uses too, and returns its rows.
 *
 * @param answer - how long the server may take, in milliseconds. Default: as long as the connection allows
 */
export async function readRows<R extends object>(
  queryable: Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>,
  text: string,
  values: readonly unknown[] = [],
  answer: { readonly query_timeout?: number } = {},
): Promise<R[]> {
  // The driver declares separate overloads of query() for each kind of client.
  const query = queryable.query.bind(queryable);
  const parameters = values.length === 0 ? {} : { values: [...values] };
  const { rows } = await query<R>({ text, ...parameters, types: OWN_TYPES, ...answer });
  return rows;
}

/** Parses a one-dimensional text array in the server's format: `{a,"b, \"c\"",NULL}`. */
function parseArray(text: string): (string | null)[] {
  const elements = text.matchAll(/"((?:[^"\\]|\\.)*)"|([^{},]+)/gs);
  return Array.from(elements, ([, quoted, plain]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1');
    return plain === 'NULL' ? null : (plain ?? '');
  });
}
