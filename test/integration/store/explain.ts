import { escapeLiteral } from 'pg';
import type pg from 'pg';
import type { Statement, TenantTables } from '../../../lib/store/postgres/statements/statement.js';

/** A node of a plan, as `EXPLAIN (FORMAT JSON)` has it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Total Cost'?: number;
  readonly 'Actual Rows'?: number;
  readonly 'Actual Loops'?: number;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** `generic`: planned once for whatever comes. `custom`: planned for these values. */
export type PlanMode = 'generic' | 'custom';

interface ExplainOptions {
  readonly mode: PlanMode;
  /** Also run it, to count; what it writes is rolled back. */
  readonly analyze?: boolean;
}

let prepared = 0;

/** The nodes of the plan that the connection's settings make of the statement, the top first. */
export async function explain(
  client: pg.ClientBase,
  tables: TenantTables,
  statement: Statement,
  values: readonly unknown[],
  { mode, analyze = false }: ExplainOptions,
): Promise<PlanNode[]> {
  const name = `explained_${prepared++}`;
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL plan_cache_mode = force_${mode}_plan`);
    await client.query(`PREPARE ${name} AS ${statement.text(tables)}`);
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `EXPLAIN (FORMAT JSON${analyze ? ', ANALYZE, BUFFERS, TIMING off' : ''})
       EXECUTE ${name} ${values.length === 0 ? '' : `(${values.map(literal).join(', ')})`}`,
    );
    const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
    if (plan === undefined) throw new Error(`No plan of ${statement.name}.`);
    return nodesOf(plan.Plan);
  } finally {
    await client.query('ROLLBACK');
    await client.query(`DEALLOCATE ${name}`).catch(() => undefined);
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (Array.isArray(value)) return `ARRAY[${value.map(literal).join(', ')}]::text[]`;
  if (value instanceof Date) return escapeLiteral(value.toISOString());
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : escapeLiteral(value as string);
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** How the rows of a table are found: the index and its condition, or the kind of scan where there is none. */
export function scansOf(nodes: readonly PlanNode[], table: string): string[] {
  const kinds = new Set(['ModifyTable', 'Bitmap Heap Scan']);
  return nodes
    .filter(
      (node) =>
        (node['Relation Name'] === table && !kinds.has(node['Node Type'])) ||
        (node['Node Type'] === 'Bitmap Index Scan' && node['Index Name']?.startsWith(table)),
    )
    .map((node) =>
      node['Index Name'] === undefined
        ? node['Node Type']
        : `${node['Index Name']} ${node['Index Cond'] ?? 'whole'}`,
    );
}

/** Rows that nodes looked at: what a plan does, whatever the machine. */
export function rowsLookedAt(nodes: readonly PlanNode[]): number {
  return nodes.reduce(
    (sum, node) =>
      sum +
      ((node['Actual Rows'] ?? 0) + (node['Rows Removed by Filter'] ?? 0)) *
        (node['Actual Loops'] ?? 0),
    0,
  );
}

/** Pages that its most busy part touched: a node's count has those of the nodes in it, but no WITH is in another. */
export function pagesTouched(nodes: readonly PlanNode[]): number {
  return Math.max(
    ...nodes.map((node) => (node['Shared Hit Blocks'] ?? 0) + (node['Shared Read Blocks'] ?? 0)),
  );
}
