import type { FailureGroupRow, FailuresResponse } from '../../../lib/dashboard/http-types.js';
import { post, tenantApi } from '../core/api.js';
import { cutText, formatNumber } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { linkTo, place, setQuery } from '../core/router.js';
import { session } from '../core/session.js';
import { BulkForm } from '../ui/actions.js';
import { showDialog } from '../ui/dialog.js';
import { Ago, ExecutionLink, Loaded, Name, Words } from '../ui/parts.js';
import { SearchField } from '../ui/pager.js';

/** Failed executions by their cause, over all tenants. */
export function FailuresView() {
  const { query } = place.value;
  const search = new URLSearchParams();
  for (const name of ['tenant', 'workflow']) {
    const value = query.get(name);
    if (value !== null) search.set(name, value);
  }
  const failures = useResource<FailuresResponse>(
    `api/failures?${search}`,
    query.get('tenant') ?? '*',
  );
  return (
    <>
      <div class="page-head">
        <h1>Failures</h1>
        <SearchField
          label="Workflow"
          value={query.get('workflow') ?? ''}
          onSearch={(workflow) => setQuery({ workflow })}
        />
      </div>
      {query.get('tenant') === null ? null : (
        <p class="dim">
          Only tenant{' '}
          <b>
            <Name text={query.get('tenant') ?? ''} />
          </b>
          . <a href={linkTo(['failures'])}>All tenants</a>
        </p>
      )}
      <Loaded
        from={failures}
        isEmpty={({ groups }) => groups.length === 0}
        empty={
          <>
            <b class="good">✓ Nothing has failed.</b> Failed executions appear here, grouped by
            their cause.
          </>
        }
      >
        {({ groups, isComplete }) => (
          <>
            {isComplete ? null : (
              <p class="dim">Not all failed executions were read: the counts are lower limits.</p>
            )}
            <ul class="groups">
              {groups.map((group) => (
                <Group key={`${group.tenant} ${group.id}`} group={group} isAtLeast={!isComplete} />
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </>
  );
}

function Group({ group, isAtLeast }: { group: FailureGroupRow; isAtLeast: boolean }) {
  const { tenant, workflow, task, error, count, examples } = group;
  const path = tenantApi(tenant, 'failures', group.id, 'retry');
  const retry = (): void =>
    showDialog(
      'Retry this group',
      <BulkForm
        tenant={tenant}
        verb="Retry"
        count={() => post(path, { dryRun: true })}
        run={() => post(path)}
      />,
    );
  return (
    <li class="card group">
      <p class="count" aria-label={`${formatNumber(count)} executions`}>
        <b>
          {formatNumber(count)}
          {isAtLeast ? '+' : ''}
        </b>
      </p>
      <div>
        <p class="where">
          <a href={linkTo(['t', tenant, 'executions'], { workflow, status: 'Failed' })}>
            <Name text={workflow} max={40} />
          </a>
          {task === undefined ? (
            <span class="dim"> timed out</span>
          ) : (
            <>
              {' '}
              <span class="dim">›</span> <Name text={task} max={40} />
            </>
          )}
          <a class="tag" href={linkTo(['failures'], { tenant })}>
            <Name text={tenant} max={24} />
          </a>
        </p>
        <p class="message">
          <b>{cutText(error.name, 60)}</b>
          {error.code === undefined ? null : <code> {cutText(error.code, 60)}</code>}{' '}
          <Words text={group.message} max={220} />
        </p>
        <p class="dim small">
          Last <Ago at={group.lastAt} />, first <Ago at={group.firstAt} />.{' '}
          {examples.slice(0, 3).map((id) => (
            <span key={id}>
              <ExecutionLink tenant={tenant} id={id} />{' '}
            </span>
          ))}
        </p>
      </div>
      {session.value?.readOnly === true ? null : (
        <button type="button" onClick={retry}>
          Retry all…
        </button>
      )}
    </li>
  );
}
