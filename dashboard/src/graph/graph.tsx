import { useEffect, useState } from 'preact/hooks';
import type { TaskRow } from '../../../lib/dashboard/http-types.js';
import type { WorkflowGraph } from '../../../lib/runner/workflow-graph.js';
import { cutText, formatDuration, formatNumber, isolated } from '../core/format.js';
import { now } from '../core/live.js';
import { MARKS } from '../ui/parts.js';
import { useWidth } from '../ui/size.js';
import { layoutOf, NODE_HEIGHT, NODE_WIDTH, type Layout } from './layout.js';

/** Graphs of more tasks are not drawn: no one reads them, and placing them takes seconds. */
const MAX_TASKS = 400;
const KINDS: Readonly<Record<string, string>> = {
  task: 'task',
  wait: 'wait',
  sleep: 'sleep',
  child: 'child workflow',
  map: 'map',
};

interface GraphProps {
  readonly graph: WorkflowGraph;
  /** The states of the tasks of an execution. Absent: the graph of the code alone. */
  readonly tasks?: readonly TaskRow[];
  readonly chosen?: string | undefined;
  readonly onChoose?: (task: string) => void;
}

/** A workflow's tasks and their dependencies, drawn. */
export function Graph({ graph, tasks, chosen, onChoose }: GraphProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [layout, setLayout] = useState<Layout | undefined>();
  const isWide = width > 620;
  const shape = JSON.stringify([
    isWide,
    graph.tasks.map(({ name, dependsOn }) => [name, dependsOn]),
  ]);
  useEffect(() => {
    if (width === 0 || graph.tasks.length > MAX_TASKS) return;
    let isOver = false;
    void layoutOf(graph.tasks, isWide).then((placed) => isOver || setLayout(placed));
    return () => {
      isOver = true;
    };
  }, [shape, width === 0]);
  if (graph.tasks.length > MAX_TASKS) {
    return (
      <p class="empty">
        {formatNumber(graph.tasks.length)} tasks are too many to draw. The list below has all.
      </p>
    );
  }
  const rows = new Map(tasks?.map((task) => [task.name, task]));
  const scale = layout === undefined ? 1 : Math.max(0.55, Math.min(1, width / layout.width));
  return (
    <div
      class="graph"
      ref={ref}
      tabindex={0}
      role="group"
      aria-label={`Graph of ${cutText(graph.name, 100)}`}
    >
      {layout === undefined ? null : (
        <svg
          width={layout.width * scale}
          height={layout.height * scale}
          viewBox={`0 0 ${layout.width} ${layout.height}`}
        >
          {layout.edges.map(({ from, to, path }) => (
            <path
              key={`${from}\0${to}`}
              class={`edge ${edgeState(rows.get(from), rows.get(to))}`}
              d={path}
            />
          ))}
          {graph.tasks.map(({ name, kind }) => {
            const at = layout.nodes.get(name);
            if (at === undefined) return null;
            const row = rows.get(name);
            const pick = (): void => onChoose?.(name);
            return (
              <g
                key={name}
                class={`node ${row === undefined ? 's-none' : `s-${row.status}`}${chosen === name ? ' chosen' : ''}`}
                transform={`translate(${at.x} ${at.y})`}
                {...(onChoose === undefined
                  ? {}
                  : {
                      role: 'button',
                      tabindex: 0,
                      'aria-pressed': chosen === name,
                      onClick: pick,
                      onKeyDown: (event: KeyboardEvent) => {
                        if (event.key !== 'Enter' && event.key !== ' ') return;
                        event.preventDefault();
                        pick();
                      },
                    })}
              >
                <g>
                  <title>{`${isolated(cutText(name, 500))}, ${row?.status ?? kind}`}</title>
                  <rect width={NODE_WIDTH} height={NODE_HEIGHT} rx={10} />
                  <circle class="mark" cx={24} cy={NODE_HEIGHT / 2} r={12} />
                  <text class="glyph" x={24} y={NODE_HEIGHT / 2 + 4.5} text-anchor="middle">
                    {row === undefined ? '•' : MARKS[row.status]}
                  </text>
                  <text class="name" x={46} y={23}>
                    {cutText(name, 17)}
                  </text>
                  <text class="sub" x={46} y={40}>
                    {row === undefined ? KINDS[kind] : cutText(subtitle(row), 21)}
                  </text>
                </g>
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}

function edgeState(from: TaskRow | undefined, to: TaskRow | undefined): string {
  if (from === undefined || to === undefined) return '';
  if (to.status === 'Skipped') return 'skipped';
  if (from.status === 'Completed') return to.status === 'Running' ? 'moving' : 'passed';
  return '';
}

/** The state of a task in a few characters. */
function subtitle({ status, startedAt, completedAt, attempt, items, waitingFor }: TaskRow): string {
  if (items !== undefined)
    return `${formatNumber(items.completed)} of ${formatNumber(items.total)} items`;
  if (waitingFor !== undefined && status !== 'NotStarted')
    return `waits for ${waitingFor.wait ?? waitingFor.reason}`;
  if (status === 'Skipped' || status === 'Cancelled') return status.toLowerCase();
  const tries = attempt > 1 ? ` · attempt ${attempt}` : '';
  if (startedAt === undefined)
    return status === 'NotStarted' ? 'not started' : status.toLowerCase();
  const end = completedAt === undefined ? now.value : Date.parse(completedAt);
  return formatDuration(end - Date.parse(startedAt)) + tries;
}
