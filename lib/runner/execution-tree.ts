import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { TreeRow } from '../store/port/index.js';
import type { ExecutionStatus } from '../workflow/index.js';

/** Options of {@link CloacinaRunner.resume}, and with a reason of {@link CloacinaRunner.pause}. */
export interface TreeOptions {
  /** Whether the executions under the execution are paused or resumed too. Default: `false`. */
  tree?: boolean;
}

/** An execution with the executions under it, as {@link CloacinaRunner.tree} returns it. */
export interface ExecutionTree {
  /** The id of the execution. */
  id: string;
  /** The name of its workflow. */
  workflow: string;
  /** Its status. */
  status: ExecutionStatus;
  /** The name of the step that started it, with its key after `#`. Absent for an execution without a parent. */
  step?: string;
  /** The children, oldest first. */
  children: ExecutionTree[];
  /** Whether all children were read. False if the tree is larger than 10,000 executions. */
  isComplete: boolean;
}

/** @throws InvalidArgumentError unless `tree` is a boolean */
export function treeOf({ tree = false }: TreeOptions): boolean {
  if (typeof tree === 'boolean') return tree;
  throw new InvalidArgumentError('tree', `must be true or false, not ${formatValue(tree)}`);
}

/**
 * Joins the rows of a tree, parents first.
 *
 * @param max - further rows only tell that the tree is not complete
 */
export function viewTree([top, ...rows]: readonly TreeRow[], max: number): ExecutionTree {
  if (top === undefined) throw new TypeError('A tree has at least its top.');
  const isComplete = rows.length < max;
  const nodes = new Map<string, ExecutionTree>();
  const nodeOf = ({ id, workflow, status, step }: TreeRow): ExecutionTree => {
    const node: ExecutionTree = {
      id,
      workflow,
      status: status as ExecutionStatus,
      ...(step === null ? {} : { step }),
      children: [],
      isComplete,
    };
    nodes.set(id, node);
    return node;
  };
  const root = nodeOf(top);
  for (const row of rows.slice(0, max - 1)) {
    nodes.get(row.parentId ?? '')?.children.push(nodeOf(row));
  }
  return root;
}
