import type { Page, TenantOverview } from '../../../lib/dashboard/http-types.js';
import { formatCount } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { linkTo, place, setQuery } from '../core/router.js';
import { Ago, Card, Loaded, Name, Table, Words } from '../ui/parts.js';
import { Pager, SearchField } from '../ui/pager.js';
import { CopiesMark, MoveMark } from './tenant-place.js';

export function TenantTable({ tenants }: { tenants: readonly TenantOverview[] }) {
  // Without the option `servers`, there is only one.
  const hasServers = tenants.some(({ server }) => server !== undefined);
  return (
    <Table
      label="Tenants"
      columns={[
        'Tenant',
        ...(hasServers ? ['Server'] : []),
        'Running',
        'Pending',
        'Failed',
        'Paused',
        'Oldest due',
        '',
      ]}
    >
      {tenants.map((one) => (
        <Row key={one.tenant} of={one} hasServers={hasServers} />
      ))}
    </Table>
  );
}

/** What is wrong with a tenant is a line of its own, which stays in sight where the table is wider than the window. */
function Row({
  of: { tenant, server, move, leftOn, counts, oldestDue, problem, pausedWorkflows },
  hasServers,
}: {
  of: TenantOverview;
  hasServers: boolean;
}) {
  return (
    <>
      <tr class={problem === undefined ? undefined : 'has-more'}>
        <td>
          <a href={linkTo(['t', tenant, 'executions'])}>
            <Name text={tenant} />
          </a>
        </td>
        {hasServers ? (
          <td>
            <Name text={server ?? '–'} max={24} />
            {move === undefined ? null : <MoveMark of={move} />}
            {leftOn === undefined ? null : <CopiesMark on={leftOn} />}
          </td>
        ) : null}
        {(['Running', 'Pending', 'Failed', 'Paused'] as const).map((status) => (
          <td key={status} class="number">
            <a
              class={`quiet ${toneOf(counts?.[status].count ?? 0, status)}`}
              href={linkTo(['t', tenant, 'executions'], { status })}
            >
              {formatCount(counts?.[status])}
            </a>
          </td>
        ))}
        <td>
          <Ago at={oldestDue} />
        </td>
        <td>
          {pausedWorkflows === 0 ? null : (
            <span class="dim">
              {pausedWorkflows} paused workflow{pausedWorkflows === 1 ? '' : 's'}
            </span>
          )}
        </td>
      </tr>
      {problem === undefined ? null : (
        <tr class="more">
          <td colSpan={hasServers ? 8 : 7}>
            <span class="bad">
              <Words text={problem} max={240} />
            </span>
          </td>
        </tr>
      )}
    </>
  );
}

/** Zeros are pale, so that the eye finds the rest. */
export function toneOf(count: number, status: string): string {
  if (count === 0) return 'dim';
  return status === 'Failed' ? 'bad' : '';
}

export function TenantsView() {
  const { query } = place.value;
  const search = new URLSearchParams({ limit: '50' });
  for (const name of ['search', 'after']) {
    const value = query.get(name === 'after' ? 'cursor' : name);
    if (value !== null) search.set(name, value);
  }
  const page = useResource<Page<TenantOverview>>(`api/tenants?${search}`, '*');
  return (
    <>
      <div class="page-head">
        <h1>Tenants</h1>
        <SearchField
          label="Search tenants"
          value={query.get('search') ?? ''}
          onSearch={(text) => setQuery({ search: text })}
        />
      </div>
      <Card title="By name">
        <Loaded
          from={page}
          isEmpty={({ items }) => items.length === 0}
          empty="No tenant has this in its name."
        >
          {({ items, nextCursor }) => (
            <>
              <TenantTable tenants={items} />
              <Pager next={nextCursor} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}
