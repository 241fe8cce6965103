import { useState } from 'preact/hooks';
import type { Series, SeriesBucket } from '../../../lib/dashboard/http-types.js';
import { formatDuration, formatNumber } from '../core/format.js';
import { useWidth } from './size.js';

const HEIGHT = 132;
const BOTTOM = 18;
const PLOT = HEIGHT - BOTTOM;

const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const timeOf = (bucket: SeriesBucket): string => clock.format(new Date(bucket.at));

interface ChartProps {
  readonly series: Series;
  /** What a bucket is in words, under the chart. */
  readonly say: (bucket: SeriesBucket) => string;
  readonly total: string;
  readonly label: string;
  readonly top: number;
  readonly topLabel: string;
  readonly draw: (
    bucket: SeriesBucket,
    x: number,
    width: number,
    yOf: (value: number) => number,
  ) => unknown;
  readonly lines?: readonly { className: string; of: (bucket: SeriesBucket) => number | null }[];
}

function Chart({ series, say, total, label, top, topLabel, draw, lines = [] }: ChartProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [chosen, choose] = useState<number | undefined>();
  const { buckets } = series;
  const step = buckets.length === 0 ? 0 : width / buckets.length;
  const yOf = (value: number): number => PLOT - (value / top) * (PLOT - 14);
  const bucket = chosen === undefined ? undefined : buckets[chosen];
  const every = Math.max(1, Math.ceil(64 / Math.max(step, 1)));
  const move = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    choose(Math.min(buckets.length - 1, Math.max(0, (chosen ?? buckets.length) + by)));
  };
  return (
    <div class="chart" ref={ref}>
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={`${label}: ${total}. The arrow keys read single times.`}
        tabindex={0}
        onKeyDown={move}
        onBlur={() => choose(undefined)}
        onPointerLeave={() => choose(undefined)}
        onPointerMove={(event) =>
          choose(Math.min(buckets.length - 1, Math.floor(event.offsetX / step)))
        }
      >
        <line class="grid" x1={0} x2={width} y1={yOf(top)} y2={yOf(top)} />
        <line class="grid" x1={0} x2={width} y1={PLOT} y2={PLOT} />
        <text class="axis" x={0} y={yOf(top) - 4}>
          {topLabel}
        </text>
        {chosen === undefined ? null : (
          <rect class="chosen" x={chosen * step} y={0} width={step} height={PLOT} />
        )}
        {buckets.map((one, no) => draw(one, no * step, step, yOf))}
        {lines.map(({ className, of }) => (
          <path key={className} class={className} d={pathOf(buckets, of, step, yOf)} />
        ))}
        {buckets.map((one, no) =>
          no % every === 0 && (no + 0.5) * step < width - 30 ? (
            <text key={one.at} class="axis" x={no * step} y={HEIGHT - 3}>
              {timeOf(one)}
            </text>
          ) : null,
        )}
      </svg>
      <p class="readout" aria-live="polite">
        {bucket === undefined ? total : `${timeOf(bucket)} · ${say(bucket)}`}
      </p>
    </div>
  );
}

/** A line that has gaps where there is no value, and a dash where a value stands alone. */
function pathOf(
  buckets: readonly SeriesBucket[],
  of: (bucket: SeriesBucket) => number | null,
  step: number,
  yOf: (value: number) => number,
): string {
  let path = '';
  let before: number | null = null;
  buckets.forEach((bucket, no) => {
    const value = of(bucket);
    if (value !== null) {
      const [x, y] = [((no + 0.5) * step).toFixed(1), yOf(value).toFixed(1)];
      path +=
        before === null ? `M${(no * step + step * 0.25).toFixed(1)} ${y}L${x} ${y}` : `L${x} ${y}`;
    }
    before = value;
  });
  return path;
}

const PARTS = ['completed', 'failed', 'cancelled'] as const;

/** How the executions of each time ended; those that have not ended are a pale top. */
export function ThroughputChart({ series }: { series: Series }) {
  const { buckets } = series;
  const most = Math.max(1, ...buckets.map(({ started }) => started));
  const sum = (part: 'started' | (typeof PARTS)[number]): number =>
    buckets.reduce((total, bucket) => total + bucket[part], 0);
  const say = (of: Record<'started' | (typeof PARTS)[number], number>): string =>
    `${formatNumber(of.started)} started, ${formatNumber(of.completed)} completed, ${formatNumber(of.failed)} failed`;
  return (
    <Chart
      series={series}
      label="Executions started"
      top={most}
      topLabel={formatNumber(most)}
      total={say({
        started: sum('started'),
        completed: sum('completed'),
        failed: sum('failed'),
        cancelled: 0,
      })}
      say={say}
      draw={(bucket, x, width, yOf) => {
        let below = 0;
        const gap = width > 4 ? 1 : 0;
        const rest = Math.max(
          0,
          bucket.started - bucket.completed - bucket.failed - bucket.cancelled,
        );
        return [...PARTS.map((part) => [part, bucket[part]] as const), ['open', rest] as const].map(
          ([part, count]) => {
            if (count === 0) return null;
            const y = yOf(below + count);
            const height = yOf(below) - y;
            below += count;
            return (
              <rect
                key={part}
                class={`bar ${part}`}
                x={x + gap}
                y={y}
                width={Math.max(1, width - 2 * gap)}
                height={height}
              />
            );
          },
        );
      }}
    />
  );
}

/** How long completed executions took. */
export function DurationChart({ series }: { series: Series }) {
  const most = Math.max(1, ...series.buckets.map(({ p95Ms }) => p95Ms ?? 0));
  const say = ({ medianMs, p95Ms }: Pick<SeriesBucket, 'medianMs' | 'p95Ms'>): string =>
    medianMs === null || p95Ms === null
      ? 'none completed'
      : `median ${formatDuration(medianMs)}, 95 % within ${formatDuration(p95Ms)}`;
  const newest = series.buckets.findLast(({ medianMs }) => medianMs !== null);
  return (
    <Chart
      series={series}
      label="Duration"
      top={most}
      topLabel={formatDuration(most)}
      total={newest === undefined ? 'None completed' : `At ${timeOf(newest)}: ${say(newest)}`}
      say={say}
      draw={() => null}
      lines={[
        { className: 'line p95', of: ({ p95Ms }) => p95Ms },
        { className: 'line median', of: ({ medianMs }) => medianMs },
      ]}
    />
  );
}
