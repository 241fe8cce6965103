/** A task of a graph that is to be drawn. */
export interface GraphTask {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

export const NODE_WIDTH = 196;
export const NODE_HEIGHT = 54;

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, { readonly x: number; readonly y: number }>;
  /** The paths of the edges, with the tasks at their ends. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly path: string }[];
}

/** Places the tasks of a graph: from left to right, or from top to bottom. The algorithm is loaded when it is needed. */
export async function layoutOf(tasks: readonly GraphTask[], isWide: boolean): Promise<Layout> {
  const dagre = await import('@dagrejs/dagre');
  const graph = new dagre.Graph();
  graph.setGraph({
    rankdir: isWide ? 'LR' : 'TB',
    nodesep: 18,
    ranksep: 44,
    marginx: 8,
    marginy: 8,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  // Names may be any text, also __proto__: numbers are safe.
  const numbers = new Map(tasks.map(({ name }, no) => [name, String(no)]));
  for (const id of numbers.values()) graph.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const pairs = tasks.flatMap(({ name, dependsOn }) =>
    dependsOn.filter((from) => numbers.has(from)).map((from) => ({ from, to: name })),
  );
  for (const { from, to } of pairs) graph.setEdge(numbers.get(from)!, numbers.get(to)!);
  dagre.layout(graph);
  const nodes = new Map(
    [...numbers].map(([name, id]) => {
      const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
      return [name, { x: x - NODE_WIDTH / 2, y: y - NODE_HEIGHT / 2 }];
    }),
  );
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const edges = pairs.map(({ from, to }) => {
    const { points } = graph.edge(numbers.get(from)!, numbers.get(to)!) as { points: Point[] };
    // It leaves and enters in the middles of sides; the algorithm would take corners.
    const ends = [sideOf(nodes.get(from)!, isWide, true), sideOf(nodes.get(to)!, isWide, false)];
    return {
      from,
      to,
      path: curveOf(
        [ends[0]!, ...(points.length > 3 ? points.slice(1, -1) : []), ends[1]!],
        isWide,
      ),
    };
  });
  return { width, height, nodes, edges };
}

function sideOf({ x, y }: Point, isWide: boolean, isEnd: boolean): Point {
  return isWide
    ? { x: x + (isEnd ? NODE_WIDTH : 0), y: y + NODE_HEIGHT / 2 }
    : { x: x + NODE_WIDTH / 2, y: y + (isEnd ? NODE_HEIGHT : 0) };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A smooth line through points, which leaves and enters tasks straight. */
export function curveOf(points: readonly Point[], isWide: boolean): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let path = `M${first.x} ${first.y}`;
  let before = first;
  for (const point of rest) {
    const [midX, midY] = [(before.x + point.x) / 2, (before.y + point.y) / 2];
    path += isWide
      ? `C${midX} ${before.y} ${midX} ${point.y} ${point.x} ${point.y}`
      : `C${before.x} ${midY} ${point.x} ${midY} ${point.x} ${point.y}`;
    before = point;
  }
  return path;
}
