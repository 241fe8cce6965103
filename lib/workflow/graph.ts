import { assertDefined } from './assert-defined.js';

/** The order in which tasks can run, or the cycles that prevent one. */
export type Ordering =
  | { readonly ok: true; /** Indexes, dependencies first. */ readonly order: readonly number[] }
  | {
      readonly ok: false;
      /** Each depends on the next, and the last on the first. */ readonly cycles: number[][];
    };

interface Frame {
  readonly node: number;
  next: number;
}

/**
 * Orders a graph by depth-first search: dependencies first, otherwise in declaration order, so an ordered list stays
 * unchanged. `dependsOn[i]` are the indexes on which `i` depends. It does not recurse, because graphs can be deep.
 */
export function orderGraph(dependsOn: readonly (readonly number[])[]): Ordering {
  const order: number[] = [];
  const cycles: number[][] = [];
  const done = new Set<number>();
  const placeInPath = new Map<number, number>();
  const path: Frame[] = [];

  const enter = (node: number): void => {
    placeInPath.set(node, path.length);
    path.push({ node, next: 0 });
  };

  for (let root = 0; root < dependsOn.length; root++) {
    if (!done.has(root)) enter(root);
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const dependency = dependsOn[frame.node]?.[frame.next++];
      if (dependency === undefined) {
        path.pop();
        placeInPath.delete(frame.node);
        done.add(frame.node);
        order.push(frame.node);
      } else if (!done.has(dependency)) {
        const place = placeInPath.get(dependency);
        if (place === undefined) enter(dependency);
        else cycles.push(path.slice(place).map((on) => on.node));
      }
    }
  }
  return cycles.length === 0 ? { ok: true, order } : { ok: false, cycles };
}

/** For each node, the nodes that depend on it, ascending. */
export function dependentsOf(dependsOn: readonly (readonly number[])[]): number[][] {
  const dependents: number[][] = dependsOn.map(() => []);
  dependsOn.forEach((dependencies, node) => {
    for (const dependency of dependencies) dependents[dependency]?.push(node);
  });
  return dependents;
}

/** Max memory for cached ancestors, in bytes, approximately. */
const MEMORY_BOUND = 2 ** 21;

/**
 * Tells whether one node is an ancestor of another in a graph in topological order, in which every dependency has a
 * lower number. It computes the ancestors of a node at the first question, and caches them as a bit set. The cache
 * keeps the most recently used nodes.
 */
export class Ancestry {
  private readonly remembered = new Map<number, Uint8Array>();
  private readonly capacity: number;

  constructor(private readonly dependsOn: readonly (readonly number[])[]) {
    this.capacity = Math.max(16, Math.floor(MEMORY_BOUND / this.bytes));
  }

  /** The number of cached bit sets. */
  get size(): number {
    return this.remembered.size;
  }

  isAncestor(a: number, b: number): boolean {
    const dependencies = this.dependsOn[b];
    // Numbers are topological, so a node with a higher number is not an ancestor.
    if (dependencies === undefined || dependencies.length === 0 || !(a >= 0 && a < b)) return false;
    const [first] = dependencies;
    if (dependencies.length === 1 && first !== undefined && first <= a) return first === a;
    return isSet(this.ancestorsOf(b), a);
  }

  /** The size of one bit set, in bytes. */
  private get bytes(): number {
    return (this.dependsOn.length + 7) >>> 3;
  }

  private ancestorsOf(node: number): Uint8Array {
    const known = this.remembered.get(node);
    // Removed and added again, so that the map's order is from the least to the most recently used.
    this.remembered.delete(node);
    const ancestors = known ?? this.collect(node);
    this.remembered.set(node, ancestors);
    for (const oldest of this.remembered.keys()) {
      if (this.remembered.size <= this.capacity) break;
      this.remembered.delete(oldest);
    }
    return ancestors;
  }

  private collect(node: number): Uint8Array {
    const found = new Uint8Array(this.bytes);
    const pending = [node];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const dependency of assertDefined(this.dependsOn[next])) {
        if (isSet(found, dependency)) continue;
        set(found, dependency);
        pending.push(dependency);
      }
    }
    return found;
  }
}

function isSet(bits: Uint8Array, index: number): boolean {
  return (assertDefined(bits[index >>> 3]) & (1 << (index & 7))) !== 0;
}

function set(bits: Uint8Array, index: number): void {
  bits[index >>> 3] = assertDefined(bits[index >>> 3]) | (1 << (index & 7));
}
