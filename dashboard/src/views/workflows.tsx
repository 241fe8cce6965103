import type { LimitRow, Page, WorkflowRow } from '../../../lib/dashboard/http-types.js';
import { post, tenantApi } from '../core/api.js';
import { cutText, formatCount, formatNumber } from '../core/format.js';
import { touch } from '../core/live.js';
import { useResource } from '../core/resource.js';
import { linkTo, place } from '../core/router.js';
import { session } from '../core/session.js';
import { Graph } from '../graph/graph.js';
import { ActionForm, ReasonField, reasonOf } from '../ui/actions.js';
import { showDialog, toast } from '../ui/dialog.js';
import { Pager } from '../ui/pager.js';
import { Ago, Card, ExecutionLink, Loaded, Name, Table, Words } from '../ui/parts.js';
import { actionsOf } from './actions.js';
import { toneOf } from './tenants.js';
import { Versions } from './versions.js';

const OPEN = ['Running', 'Pending', 'Paused', 'Failed'] as const;

export function WorkflowsView({ tenant }: { tenant: string }) {
  const workflows = useResource<{ items: WorkflowRow[] }>(tenantApi(tenant, 'workflows'), tenant);
  return (
    <>
      <div class="page-head">
        <h1>Workflows</h1>
      </div>
      <Card title="By name">
        <Loaded
          from={workflows}
          isEmpty={({ items }) => items.length === 0}
          empty="This process has no workflows for the tenant."
        >
          {({ items }) => (
            <Table label="Workflows" columns={['Workflow', 'Version', 'Tasks', ...OPEN, '']}>
              {items.map(({ name, graph, counts, paused }) => (
                <tr key={name}>
                  <td>
                    <a href={linkTo(['t', tenant, 'workflows', name])}>
                      <Name text={name} />
                    </a>
                  </td>
                  <td>
                    {graph === undefined ? (
                      <span class="dim">not in the running code</span>
                    ) : (
                      <Name text={graph.version ?? '–'} max={24} />
                    )}
                  </td>
                  <td class="number">
                    {graph === undefined ? '–' : formatNumber(graph.tasks.length)}
                  </td>
                  {OPEN.map((status) => (
                    <td key={status} class="number">
                      <a
                        class={`quiet ${toneOf(counts[status].count, status)}`}
                        href={linkTo(['t', tenant, 'executions'], { workflow: name, status })}
                      >
                        {formatCount(counts[status])}
                      </a>
                    </td>
                  ))}
                  <td>
                    {paused === undefined ? null : (
                      <span class="schedule paused" title={cutText(paused.reason ?? '', 300)}>
                        paused
                      </span>
                    )}
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </Loaded>
      </Card>
    </>
  );
}

export function WorkflowView({ tenant, name }: { tenant: string; name: string }) {
  const workflows = useResource<{ items: WorkflowRow[] }>(tenantApi(tenant, 'workflows'), tenant);
  return (
    <Loaded
      from={workflows}
      isEmpty={({ items }) => !items.some((one) => one.name === name)}
      empty={
        <>
          There is no workflow of this name here.{' '}
          <a href={linkTo(['t', tenant, 'workflows'])}>All workflows</a>
        </>
      }
    >
      {({ items }) => {
        const of = items.find((one) => one.name === name);
        return of === undefined ? null : <Workflow tenant={tenant} of={of} />;
      }}
    </Loaded>
  );
}

function Workflow({ tenant, of: { name, graph, paused } }: { tenant: string; of: WorkflowRow }) {
  const path = (action: string): string => tenantApi(tenant, 'workflows', name, action);
  const pause = (): void =>
    showDialog(
      'Pause this workflow?',
      <ActionForm label="Pause" done="Paused." run={(form) => post(path('pause'), reasonOf(form))}>
        <p>Running tasks finish. No further task of any of its executions begins.</p>
        <ReasonField />
      </ActionForm>,
    );
  const resume = (): void =>
    void post(path('resume')).then(
      () => {
        toast('Resumed.');
        touch('*');
      },
      (error: Error) => toast(error.message, true),
    );
  return (
    <>
      <div class="page-head">
        <div>
          <p class="crumbs">
            <a href={linkTo(['t', tenant, 'workflows'])}>Workflows</a>
          </p>
          <h1>
            <Name text={name} max={60} />
          </h1>
          {graph?.description === undefined ? null : (
            <p class="dim">
              <Words text={graph.description} max={300} />
            </p>
          )}
        </div>
        <div class="buttons">
          <a class="button" href={linkTo(['t', tenant, 'executions'], { workflow: name })}>
            Executions
          </a>
          <a class="button" href={actionsOf(tenant, name)}>
            Actions
          </a>
          {session.value?.readOnly === true ? null : (
            <button type="button" onClick={paused === undefined ? pause : resume}>
              {paused === undefined ? 'Pause…' : 'Resume'}
            </button>
          )}
        </div>
      </div>
      {paused === undefined ? null : (
        <div class="banner explain">
          <p>
            Paused <Ago at={paused.since} />
            {paused.reason === undefined ? (
              '.'
            ) : (
              <>
                : <Words text={paused.reason} />
              </>
            )}
          </p>
        </div>
      )}
      <Card title="Graph">
        {graph === undefined ? (
          <div class="empty">The running code no longer has this workflow.</div>
        ) : (
          <Graph graph={graph} />
        )}
      </Card>
      <Versions tenant={tenant} workflow={name} />
    </>
  );
}

/** The keys of limits: what runs, what waits, and who holds the slots. */
export function LimitsView({ tenant }: { tenant: string }) {
  const cursor = place.value.query.get('cursor');
  const search = cursor === null ? '' : `?cursor=${encodeURIComponent(cursor)}`;
  const page = useResource<Page<LimitRow>>(tenantApi(tenant, 'limits') + search, tenant);
  return (
    <>
      <div class="page-head">
        <h1>Limits</h1>
      </div>
      <Card title="By name and key">
        <Loaded
          from={page}
          isEmpty={({ items }) => items.length === 0}
          empty="No limit of this tenant has been used yet."
        >
          {({ items, nextCursor }) => (
            <>
              <Table
                label="Limits"
                columns={['Limit', 'Key', 'Running', 'Waiting', 'Oldest', 'Held by']}
              >
                {items.map((one) => (
                  <tr key={`${one.name} ${one.key ?? ''}`}>
                    <td>
                      <Name text={one.name} />
                    </td>
                    <td>
                      {one.key === undefined ? <span class="dim">–</span> : <Name text={one.key} />}
                    </td>
                    <td class="number">
                      {formatNumber(one.inUse)}
                      {one.concurrency === undefined ? '' : ` of ${formatNumber(one.concurrency)}`}
                    </td>
                    <td class="number">
                      {formatNumber(one.waiting)}
                      {one.waiting >= 1_000 ? '+' : ''}
                    </td>
                    <td>
                      <Ago at={one.oldest} />
                    </td>
                    <td>
                      {one.holders.slice(0, 3).map(({ executionId, task }) => (
                        <span key={executionId + task}>
                          <ExecutionLink tenant={tenant} id={executionId} />{' '}
                        </span>
                      ))}
                    </td>
                  </tr>
                ))}
              </Table>
              <Pager next={nextCursor} />
            </>
          )}
        </Loaded>
      </Card>
    </>
  );
}
