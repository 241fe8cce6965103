import { useState } from 'preact/hooks';
import type { Overview, Series } from '../../../lib/dashboard/http-types.js';
import { formatCount, formatNumber } from '../core/format.js';
import { connection, overview, overviewError, readOverview } from '../core/live.js';
import { useResource } from '../core/resource.js';
import { linkTo } from '../core/router.js';
import { tenant } from '../core/session.js';
import { DurationChart, ThroughputChart } from '../ui/charts.js';
import { Ago, Card, Loaded, MARKS, Name } from '../ui/parts.js';
import { ProcessTable } from './processes.js';
import { TenantTable } from './tenants.js';

const TILES = ['Running', 'Pending', 'Paused', 'Failed', 'Completed', 'Cancelled'] as const;

/** All tenants at a glance. */
export function OverviewView() {
  const data = overview.value;
  return (
    <>
      <div class="page-head">
        <h1>Overview</h1>
        <LiveMark />
      </div>
      <Loaded
        from={{
          data,
          error: overviewError.value,
          isStale: false,
          reload: () => void readOverview(),
        }}
      >
        {(shown) => <Contents of={shown} />}
      </Loaded>
    </>
  );
}

function Contents({ of }: { of: Overview }) {
  const { counts, recoveries, oldestDue, inTrouble } = of;
  return (
    <>
      <div class="tiles">
        {TILES.map((status) => (
          <a key={status} class={`tile s-${status}`} href={tileLink(status)}>
            <span class="label">
              <i aria-hidden="true">{MARKS[status]}</i> {status}
            </span>
            <b>{formatCount(counts[status])}</b>
          </a>
        ))}
      </div>
      <div class="facts">
        <p>
          <span>Oldest due task</span>
          {oldestDue === undefined ? (
            <b>none</b>
          ) : (
            <b>
              <Ago at={oldestDue.dueSince} /> in{' '}
              <a href={linkTo(['t', oldestDue.tenant, 'executions'])}>
                <Name text={oldestDue.tenant} max={24} />
              </a>
            </b>
          )}
        </p>
        <p>
          <span>Recovered in 24 hours</span>
          <b>
            {formatCount({ count: recoveries.recovered, isCapped: recoveries.isCapped })}
            {recoveries.abandoned > 0 ? (
              <em class="bad"> · {formatNumber(recoveries.abandoned)} abandoned</em>
            ) : null}
          </b>
        </p>
        <p>
          <span>Tenants</span>
          <b>
            {formatNumber(of.tenants)}
            {inTrouble > 0 ? (
              <em class="bad"> · {formatNumber(inTrouble)} with a problem</em>
            ) : null}
          </b>
        </p>
        <p>
          <span>Processes</span>
          <b>{formatNumber(of.processes.length)}</b>
        </p>
      </div>
      <Charts hour={of.series} />
      <Card title="Tenants" side={<a href={linkTo(['tenants'])}>All {formatNumber(of.tenants)}</a>}>
        {of.busiest.length === 0 ? (
          <div class="empty">This process serves no tenant yet.</div>
        ) : (
          <TenantTable tenants={of.busiest.slice(0, 8)} />
        )}
      </Card>
      <Card title="Processes" side={<a href={linkTo(['processes'])}>All</a>}>
        {of.processes.length === 0 ? (
          <div class="empty">No process runs: due tasks wait until one starts.</div>
        ) : (
          <ProcessTable processes={of.processes.slice(0, 6)} />
        )}
      </Card>
    </>
  );
}

function tileLink(status: (typeof TILES)[number]): string {
  if (status === 'Failed') return linkTo(['failures']);
  return tenant.value === undefined
    ? linkTo(['tenants'])
    : linkTo(['t', tenant.value, 'executions'], { status });
}

function Charts({ hour }: { hour: Series }) {
  const [range, setRange] = useState<'hour' | 'day'>('hour');
  const day = useResource<Series>(range === 'day' ? 'api/series?range=day' : undefined, '*');
  const series = range === 'hour' ? hour : day.data;
  const side = (
    <div class="switch" role="group" aria-label="Time">
      {(['hour', 'day'] as const).map((one) => (
        <button key={one} type="button" aria-pressed={one === range} onClick={() => setRange(one)}>
          {one === 'hour' ? 'Hour' : 'Day'}
        </button>
      ))}
    </div>
  );
  return (
    <div class="two">
      <Card title="Throughput" side={side}>
        <SeriesOrWait
          series={series}
          error={day.error}
          draw={(of) => <ThroughputChart series={of} />}
        />
      </Card>
      <Card title="Duration" side={<span class="dim small">median and 95th percentile</span>}>
        <SeriesOrWait
          series={series}
          error={day.error}
          draw={(of) => <DurationChart series={of} />}
        />
      </Card>
    </div>
  );
}

function SeriesOrWait({
  series,
  error,
  draw,
}: {
  series: Series | undefined;
  error: Error | undefined;
  draw: (of: Series) => preact.ComponentChild;
}) {
  return (
    <Loaded
      from={{
        data: series,
        error: series === undefined ? error : undefined,
        isStale: false,
        reload: () => undefined,
      }}
    >
      {(of) => (
        <>
          {draw(of)}
          {of.isComplete || of.completeSince === undefined ? null : (
            <p class="dim small">
              Complete since <Ago at={of.completeSince} />: earlier executions were not read.
            </p>
          )}
        </>
      )}
    </Loaded>
  );
}

/** Whether the page updates by itself. */
export function LiveMark() {
  const words = { connecting: 'Connecting', live: 'Live', polling: 'Polling' }[connection.value];
  return (
    <span
      class={`live ${connection.value}`}
      title={
        connection.value === 'polling'
          ? 'Without an event stream, the page reads the server every few seconds.'
          : 'The page updates by itself.'
      }
    >
      <i aria-hidden="true" /> {words}
    </span>
  );
}
