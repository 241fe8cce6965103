import type pg from 'pg';

/**
 * The parsers of the library's own reads. The driver's are global: an application may have replaced them, by
 * `pg.types.setTypeParser`, with what suits its own queries. What isn't listed stays the text that the server sent.
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

/** For the option `types` of a query, or of a connection that is the library's alone. */
export const OWN_TYPES = {
  getTypeParser: (oid: number): ((text: string) => unknown) => PARSERS.get(oid) ?? asText,
};

/** The rows of a query of the library's own, on a connection that the application uses too. */
export async function readRows<R extends object>(
  queryable: Pick<pg.ClientBase, 'query'> | Pick<pg.Pool, 'query'>,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  // The driver's types have one query for each kind of client.
  const query = queryable.query.bind(queryable);
  const parameters = values.length === 0 ? {} : { values: [...values] };
  const { rows } = await query<R>({ text, ...parameters, types: OWN_TYPES });
  return rows;
}

/** A one-dimensional array of text, as the server writes it: `{a,"b, \"c\"",NULL}`. */
function parseArray(text: string): (string | null)[] {
  const elements = text.matchAll(/"((?:[^"\\]|\\.)*)"|([^{},]+)/gs);
  return Array.from(elements, ([, quoted, plain]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1');
    return plain === 'NULL' ? null : (plain ?? '');
  });
}
