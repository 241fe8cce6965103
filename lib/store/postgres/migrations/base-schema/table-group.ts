/** A comment for people who inspect the schema with psql, where `\d+` shows it. Names have no prefix. */
export type SchemaComment = readonly [
  kind: 'TABLE' | 'VIEW' | 'COLUMN',
  name: string,
  text: string,
];

/** Tables of the base schema that belong together. */
export interface TableGroup {
  /** The statements that create the tables. `schema` is the quoted name. */
  readonly create: (schema: string) => string;
  readonly comments: readonly SchemaComment[];
}

/**
 * Makes autovacuum process high-churn tables after some 2 % of dead rows instead of PostgreSQL's 20 %. With 200,000 dead
 * rows in a million, every index look-up is slower, including the one that finds the few waiting tasks. The threshold
 * avoids needless vacuums of the small tables of quiet tenants. The cost limit lets autovacuum keep up with some ten
 * thousand updates a second; the default one falls behind.
 */
export const HIGH_CHURN = `autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_cost_limit = 2000`;

export function commentsOf(schema: string, comments: readonly SchemaComment[]): string {
  return comments
    .map(
      ([kind, name, text]) =>
        `COMMENT ON ${kind} ${schema}.cloacina_${name} IS '${text.replaceAll("'", "''")}';`,
    )
    .join('\n');
}
