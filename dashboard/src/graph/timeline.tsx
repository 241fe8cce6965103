import { useState } from 'preact/hooks';
import type { ExecutionResponse, HistoryResponse } from '../../../lib/dashboard/http-types.js';
import { cutText, formatDuration, isolated } from '../core/format.js';
import { now } from '../core/live.js';
import { useWidth } from '../ui/size.js';
import { itemSpans, ticksOf, timelineRows, type Span } from './timeline-rows.js';

const ROW = 30;
const TOP = 24;
const MAX_ROWS = 100;

/** Attempts, waits and recoveries of an execution over time. The history has the same as text. */
export function Timeline({
  execution,
  history,
  chosen,
  onChoose,
}: {
  execution: ExecutionResponse;
  history: HistoryResponse;
  chosen: string | undefined;
  onChoose: (task: string) => void;
}) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [isWhole, setWhole] = useState(false);
  const all = timelineRows(
    history.entries,
    execution.tasks.map(({ name }) => name),
    itemSpans(execution),
  );
  const rows = isWhole ? all : all.slice(0, MAX_ROWS);
  if (rows.length === 0) return <p class="empty">No task has begun yet.</p>;
  const looks = [...new Set(all.flatMap(({ spans }) => spans.map(({ look }) => look)))];
  const start = Date.parse(execution.createdAt);
  const end = Math.max(
    start + 1,
    execution.completedAt === undefined ? now.value : Date.parse(execution.completedAt),
  );
  const label = Math.min(180, Math.max(96, width * 0.26));
  const plot = Math.max(10, width - label - 12);
  const xOf = (at: number): number =>
    label + (Math.min(Math.max(at - start, 0), end - start) / (end - start)) * plot;
  const height = TOP + rows.length * ROW;
  return (
    <div class="timeline" ref={ref}>
      <svg
        width={width}
        height={height}
        role="group"
        aria-label="Timeline of attempts, waits and recoveries"
      >
        {ticksOf(end - start, Math.max(2, Math.floor(plot / 90))).map((tick) => (
          <g key={tick}>
            <line
              class="grid"
              x1={xOf(start + tick)}
              x2={xOf(start + tick)}
              y1={TOP - 6}
              y2={height}
            />
            <text class="axis" x={xOf(start + tick) + 3} y={12}>
              {tick === 0 ? '0' : xOf(start + tick) > width - 48 ? '' : formatDuration(tick)}
            </text>
          </g>
        ))}
        {rows.map(({ task, spans }, no) => {
          const y = TOP + no * ROW;
          const pick = (): void => onChoose(task);
          return (
            <g
              key={task}
              class={chosen === task ? 'row chosen' : 'row'}
              role="button"
              tabindex={0}
              aria-pressed={chosen === task}
              aria-label={`${cutText(task, 200)}: ${cutText(spans.map(({ label: text }) => text).join('; '), 500)}`}
              onClick={pick}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' && event.key !== ' ') return;
                event.preventDefault();
                pick();
              }}
            >
              <rect class="back" x={0} y={y} width={width} height={ROW} rx={6} />
              <text class="name" x={8} y={y + 19}>
                {cutText(task, Math.floor(label / 7.4))}
              </text>
              {spans.map((span) => (
                <Bar
                  key={`${span.look}${span.from}${span.label}`}
                  span={span}
                  xOf={xOf}
                  end={end}
                  y={y}
                />
              ))}
            </g>
          );
        })}
      </svg>
      {all.length > rows.length ? (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {all.length} tasks
        </button>
      ) : null}
      <ul class="legend" aria-label="Legend">
        {looks.map((look) => (
          <li key={look}>
            <i class={`key b-${look}`} /> {look.toLowerCase()}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Bar({
  span,
  xOf,
  end,
  y,
}: {
  span: Span;
  xOf: (at: number) => number;
  end: number;
  y: number;
}) {
  const x = xOf(span.from);
  const title = `${isolated(cutText(span.label, 300))} · ${formatDuration((span.to ?? end) - span.from)}`;
  if (span.look === 'recovered' || span.look === 'skipped') {
    return (
      <path class={`bar b-${span.look}`} d={`M${x} ${y + 7}l7 8l-7 8l-7 -8z`}>
        <title>{span.label}</title>
      </path>
    );
  }
  const [top, height] =
    span.look === 'step'
      ? [y + 23, 4]
      : span.look === 'wait' || span.look === 'items'
        ? [y + 10, 10]
        : [y + 7, 15];
  return (
    <rect
      class={`bar b-${span.look}`}
      x={x}
      y={top}
      width={Math.max(3, xOf(span.to ?? end) - x)}
      height={height}
      rx={3}
    >
      <title>{title}</title>
    </rect>
  );
}
