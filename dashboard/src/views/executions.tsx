import type {
  ExecutionQuery,
  ExecutionRow,
  Page,
  WorkflowRow,
} from '../../../lib/dashboard/http-types.js';
import type { ExecutionStatus } from '../../../lib/workflow/index.js';
import { tenantApi } from '../core/api.js';
import { cutText } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { linkTo, navigate, place, setQuery } from '../core/router.js';
import { session } from '../core/session.js';
import { openBulk } from '../ui/actions.js';
import { Pager, SearchField } from '../ui/pager.js';
import {
  Ago,
  Card,
  ExecutionLink,
  Lasted,
  Loaded,
  MARKS,
  Name,
  Sentence,
  Status,
  Table,
} from '../ui/parts.js';

const STATUSES: readonly ExecutionStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Failed',
  'Completed',
  'Cancelled',
];
/** The length of a page, unless the look of the server ends before. */
const PAGE = 50;
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const AGES: readonly [string, string, number][] = [
  ['15m', 'Last 15 minutes', 9e5],
  ['1h', 'Last hour', 36e5],
  ['1d', 'Last day', 864e5],
  ['7d', 'Last 7 days', 6048e5],
];

/** The filter that the address names. */
function filterOf(query: URLSearchParams, now: number): BulkFilter {
  const age = AGES.find(([name]) => name === query.get('age'));
  const [status, tag] = [query.getAll('status') as ExecutionStatus[], query.getAll('tag')];
  const one = (name: string): Record<string, string> => {
    const value = query.get(name);
    return value === null || value === '' ? {} : { [name]: value };
  };
  return {
    ...one('workflow'),
    ...one('idempotencyKey'),
    ...one('waitingFor'),
    ...one('parent'),
    ...one('root'),
    ...(status.length === 0 ? {} : { status }),
    ...(tag.length === 0 ? {} : { tag }),
    // Whole minutes, so that the address of the call stays the same while the list is read again.
    ...(age === undefined
      ? {}
      : { createdAfter: new Date(Math.floor((now - age[2]) / 6e4) * 6e4).toISOString() }),
  };
}

type BulkFilter = Omit<ExecutionQuery, 'limit' | 'cursor'>;

function queryOf(filter: BulkFilter, cursor: string | null): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  if (cursor !== null) search.set('cursor', cursor);
  return search.toString();
}

export function ExecutionsView({ tenant }: { tenant: string }) {
  const { query } = place.value;
  const filter = filterOf(query, Date.now());
  const page = useResource<Page<ExecutionRow>>(
    `${tenantApi(tenant, 'executions')}?${queryOf(filter, query.get('cursor'))}`,
    tenant,
  );
  const isFiltered = Object.keys(filter).length > 0;
  const bulk = (action: 'retry' | 'cancel'): void =>
    openBulk(tenant, action, isFiltered ? filter : { all: true });
  return (
    <>
      <div class="page-head">
        <h1>Executions</h1>
        <SearchField
          label="Id or idempotency key"
          value={query.get('idempotencyKey') ?? ''}
          onSearch={(text) =>
            UUID.test(text)
              ? navigate(linkTo(['t', tenant, 'executions', text]))
              : setQuery({ idempotencyKey: text })
          }
        />
      </div>
      <Filters tenant={tenant} query={query} isFiltered={isFiltered} />
      <Card
        title="Newest first"
        side={
          session.value?.readOnly === true ? null : (
            <div class="buttons">
              <button type="button" onClick={() => bulk('retry')}>
                Retry all…
              </button>
              <button type="button" onClick={() => bulk('cancel')}>
                Cancel all…
              </button>
            </div>
          )
        }
      >
        <Loaded
          from={page}
          isEmpty={({ items, nextCursor }) => items.length === 0 && nextCursor === null}
          empty={
            isFiltered ? (
              <>
                No execution matches. <a href={linkTo(['t', tenant, 'executions'])}>Show all</a>
              </>
            ) : (
              'No execution was started in this tenant yet.'
            )
          }
        >
          {({ items, nextCursor }) => (
            <>
              {items.length === 0 ? null : <ExecutionTable items={items} tenant={tenant} />}
              {nextCursor !== null && items.length < PAGE ? (
                <p class="dim small note" role="status">
                  {items.length === 0 ? 'No match' : 'No other match'} among the executions that
                  were looked at, about 10,000. “Next” looks at older ones.
                </p>
              ) : null}
              <Pager next={nextCursor} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}

function Filters({
  tenant,
  query,
  isFiltered,
}: {
  tenant: string;
  query: URLSearchParams;
  isFiltered: boolean;
}) {
  const workflows = useResource<{ items: WorkflowRow[] }>(tenantApi(tenant, 'workflows'));
  const chosen = query.getAll('status');
  const workflow = query.get('workflow') ?? '';
  const names = workflows.data?.items.map(({ name }) => name) ?? [];
  const toggle = (status: string): void =>
    setQuery({
      status: chosen.includes(status)
        ? chosen.filter((one) => one !== status)
        : [...chosen, status],
    });
  return (
    <div class="filters" role="group" aria-label="Filters">
      <div class="chips" role="group" aria-label="Status">
        {STATUSES.map((status) => (
          <button
            key={status}
            type="button"
            class={`chip s-${status}`}
            aria-pressed={chosen.includes(status)}
            onClick={() => toggle(status)}
          >
            <span aria-hidden="true">{MARKS[status]}</span> {status}
          </button>
        ))}
      </div>
      <select
        aria-label="Workflow"
        value={workflow}
        onChange={(event) => setQuery({ workflow: event.currentTarget.value })}
      >
        <option value="">All workflows</option>
        {[...new Set(workflow === '' ? names : [workflow, ...names])].map((name) => (
          <option key={name} value={name}>
            {cutText(name, 60)}
          </option>
        ))}
      </select>
      <select
        aria-label="Created"
        value={query.get('age') ?? ''}
        onChange={(event) => setQuery({ age: event.currentTarget.value })}
      >
        <option value="">Any time</option>
        {AGES.map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
      <SearchField
        label="Tag, as name:value"
        value={query.getAll('tag').join(' ')}
        onSearch={(text) => setQuery({ tag: text.split(/\s+/).filter((one) => one.includes(':')) })}
      />
      {isFiltered ? <a href={linkTo(['t', tenant, 'executions'])}>Clear</a> : null}
    </div>
  );
}

function ExecutionTable({ items, tenant }: { items: readonly ExecutionRow[]; tenant: string }) {
  return (
    <Table
      label="Executions"
      isStacked
      columns={[
        'Status',
        'Workflow',
        'Execution',
        'What it waits for, or why it ended',
        'Created',
        'Took',
      ]}
    >
      {items.map((row) => (
        <tr key={row.id}>
          <td>
            <Status of={row.status} />
          </td>
          <td>
            <Name text={row.workflow} max={32} />
          </td>
          <td>
            <ExecutionLink tenant={tenant} id={row.id} />
          </td>
          <td class="why">
            <Why row={row} />
            {Object.entries(row.tags ?? {})
              .slice(0, 3)
              .map(([name, value]) => (
                <span key={name} class="tag">
                  <bdi>{cutText(`${name}:${value}`, 40)}</bdi>
                </span>
              ))}
          </td>
          <td>
            <Ago at={row.createdAt} />
          </td>
          <td class="number">
            <Lasted from={row.startedAt} to={row.completedAt} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Why({ row }: { row: ExecutionRow }) {
  const text = row.error?.message ?? row.waitingFor?.detail ?? row.reason ?? '';
  return (
    <bdi class={row.error === undefined ? 'dim' : 'bad'} title={cutText(text, 1_000)}>
      <Sentence text={text} max={110} />{' '}
    </bdi>
  );
}
