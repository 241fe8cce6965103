import { useState } from 'preact/hooks';
import type { ItemsResponse, TaskRow } from '../../../lib/dashboard/http-types.js';
import type { StoredError } from '../../../lib/errors/index.js';
import { cutText, formatDuration, formatNumber } from '../core/format.js';
import { useResource } from '../core/resource.js';
import { Value } from '../ui/json.js';
import { Ago, ExecutionLink, Lasted, Loaded, Sentence, Status, Words } from '../ui/parts.js';

/** A task of an execution: its state, its errors, its attempts, its steps and its items. */
export function TaskPanel({ task, tenant, path }: { task: TaskRow; tenant: string; path: string }) {
  const { waitingFor, error, items, progress, steps = [], attempts } = task;
  return (
    <div class="panel">
      <h3>
        <Words text={task.name} max={120} />
      </h3>
      <p>
        <Status of={task.status} />
        {task.skipReason === undefined ? null : <span class="dim"> by {task.skipReason}</span>}
        {task.startedAt === undefined ? null : (
          <span class="dim">
            {' '}
            · <Lasted from={task.startedAt} to={task.completedAt} />
            {task.attempt > 1 ? ` · attempt ${task.attempt}` : ''}
            {task.recoveryAttempts > 0 ? ` · recovered ${task.recoveryAttempts}×` : ''}
          </span>
        )}
      </p>
      {waitingFor === undefined ? null : (
        <p>
          <Sentence text={waitingFor.detail} />
          {waitingFor.child === undefined ? null : (
            <>
              {' '}
              <ExecutionLink tenant={tenant} id={waitingFor.child} />
            </>
          )}
          {waitingFor.until === undefined ? null : (
            <span class="dim">
              {' '}
              <Ago at={waitingFor.until} />
            </span>
          )}
        </p>
      )}
      {items === undefined ? null : <Items key={task.name} task={task} path={path} />}
      {progress === undefined ? null : (
        <>
          <h4>Progress</h4>
          <Value view={progress.value} />
        </>
      )}
      {error === undefined ? null : <ErrorDetails error={error} />}
      {attempts.length < 2 ? null : (
        <>
          <h4>Attempts</h4>
          <ol class="attempts">
            {attempts.map((attempt) => (
              <li key={`${attempt.attempt} ${attempt.startedAt}`}>
                <b>{attempt.attempt}</b> <Ago at={attempt.startedAt} /> ·{' '}
                {formatDuration(attempt.durationMs)}
                {attempt.error === undefined ? null : (
                  <span class="bad">
                    {' '}
                    <Words text={attempt.error.message} max={100} />
                  </span>
                )}
              </li>
            ))}
          </ol>
        </>
      )}
      {steps.length === 0 ? null : (
        <>
          <h4>Steps and waits</h4>
          <ul class="attempts">
            {steps.map((step) => (
              <li key={step.name}>
                <bdi>{cutText(step.name, 60)}</bdi>{' '}
                <span class="dim">
                  {step.kind}, {step.status.toLowerCase()}
                  {step.durationMs === undefined ? '' : ` · ${formatDuration(step.durationMs)}`}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

/** An error with its causes, each as text. */
export function ErrorDetails({ error }: { error: StoredError }) {
  return (
    <div class="error">
      <ErrorChain error={error} />
      {error.response === undefined ? null : (
        <details>
          <summary>Response</summary>
          <pre tabindex={0}>{error.response}</pre>
        </details>
      )}
      {error.stack === undefined ? null : (
        <details>
          <summary>Stack</summary>
          <pre tabindex={0}>{error.stack}</pre>
        </details>
      )}
    </div>
  );
}

function ErrorChain({ error }: { error: StoredError }) {
  return (
    <>
      <p>
        <b>{cutText(error.name, 100)}</b>
        {error.code === undefined ? null : <code> {cutText(error.code, 100)}</code>}
        {error.status === undefined ? null : <span class="dim"> HTTP {error.status}</span>}
      </p>
      <p class="message">
        <Words text={error.message} max={400} />
      </p>
      {[...(error.cause === undefined ? [] : [error.cause]), ...(error.errors ?? [])].map(
        (inner, no) => (
          <div key={no} class="cause">
            <span class="dim">caused by</span>
            <ErrorChain error={inner} />
          </div>
        ),
      )}
    </>
  );
}

/** How far a map is, and its items, the failed ones first. */
function Items({ task, path }: { task: TaskRow; path: string }) {
  const { total = 0, completed = 0, failed = 0, open = 0, isComplete = true } = task.items ?? {};
  const [status, setStatus] = useState<string>(failed > 0 ? 'Failed' : '');
  const [after, setAfter] = useState<string | undefined>();
  const search = new URLSearchParams({
    limit: '20',
    ...(status === '' ? {} : { status }),
    ...(after === undefined ? {} : { after }),
  });
  const page = useResource<ItemsResponse>(
    `${path}/items/${encodeURIComponent(task.name)}?${search}`,
  );
  return (
    <>
      <h4>
        {formatNumber(completed)} of {formatNumber(total)}
        {isComplete ? '' : '+'} items
        {failed > 0 ? <span class="bad"> · {formatNumber(failed)} failed</span> : null}
        {open > 0 ? <span class="dim"> · {formatNumber(open)} open</span> : null}
      </h4>
      <progress max={Math.max(1, total)} value={completed + failed} aria-label="Ended items" />
      <select
        aria-label="Items"
        value={status}
        onChange={(event) => {
          setAfter(undefined);
          setStatus(event.currentTarget.value);
        }}
      >
        <option value="">All items</option>
        {['Failed', 'Running', 'Completed'].map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <Loaded
        from={page}
        isEmpty={({ items }) => items.length === 0}
        empty="No item has this status."
      >
        {({ items, nextCursor }) => (
          <>
            <ul class="items">
              {items.map((item) => (
                <li key={item.index}>
                  <details>
                    <summary>
                      <span class="dim">#{item.index}</span> <Status of={item.status} />
                    </summary>
                    <Value view={item.item} />
                    {item.value === undefined ? null : <Value view={item.value} />}
                  </details>
                </li>
              ))}
            </ul>
            {nextCursor === null ? null : (
              <button type="button" onClick={() => setAfter(nextCursor)}>
                Next items
              </button>
            )}
          </>
        )}
      </Loaded>
    </>
  );
}
