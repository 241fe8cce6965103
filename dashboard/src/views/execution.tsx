import { useEffect, useState } from 'preact/hooks';
import type {
  ExecutionAction,
  ExecutionResponse,
  ExplainResponse,
  HistoryResponse,
  TreeResponse,
} from '../../../lib/dashboard/http-types.js';
import { tenantApi } from '../core/api.js';
import { cutText } from '../core/format.js';
import { openStream } from '../core/live.js';
import { useResource } from '../core/resource.js';
import { linkTo } from '../core/router.js';
import { Graph } from '../graph/graph.js';
import { Timeline } from '../graph/timeline.js';
import { openAction } from '../ui/actions.js';
import { toast } from '../ui/dialog.js';
import { Value } from '../ui/json.js';
import {
  Ago,
  Card,
  ExecutionLink,
  Lasted,
  Loaded,
  Name,
  Sentence,
  Status,
  Words,
} from '../ui/parts.js';
import { actionsOf } from './actions.js';
import { HistoryList } from './history.js';
import { ErrorDetails, TaskPanel } from './task-panel.js';

const ACTIONS: Readonly<Record<ExecutionAction, string>> = {
  signal: 'Signal…',
  retry: 'Retry…',
  resume: 'Resume',
  pause: 'Pause…',
  cancel: 'Cancel…',
};

/** One execution: why it is where it is, its graph, its time, its values and its history. */
export function ExecutionView({ tenant, id }: { tenant: string; id: string }) {
  const path = tenantApi(tenant, 'executions', id);
  const execution = useResource<ExecutionResponse>(path);
  const history = useResource<HistoryResponse>(`${path}/history`);
  const isOpen = execution.data !== undefined && execution.data.completedAt === undefined;
  const explanation = useResource<ExplainResponse>(isOpen ? `${path}/explain` : undefined);
  const tree = useResource<TreeResponse>(`${path}/tree`);
  const reloads = [execution.reload, history.reload, explanation.reload, tree.reload];
  useEffect(() => {
    // The stream tells at once how the execution is, which is known, and then of each change.
    let isFirst = true;
    const read = (): void => {
      if (!isFirst) for (const reload of reloads) reload();
      isFirst = false;
    };
    return openStream(`${path}/events`, { events: { execution: read } });
  }, [path]);
  return (
    <Loaded from={execution}>
      {(data) => (
        <Details
          key={data.id}
          execution={data}
          path={path}
          history={history}
          explanation={isOpen ? explanation.data : undefined}
          tree={tree.data}
        />
      )}
    </Loaded>
  );
}

function Details({
  execution,
  path,
  history,
  explanation,
  tree,
}: {
  execution: ExecutionResponse;
  path: string;
  history: ReturnType<typeof useResource<HistoryResponse>>;
  explanation: ExplainResponse | undefined;
  tree: TreeResponse | undefined;
}) {
  const [chosen, choose] = useState<string | undefined>();
  // At first, the task that people come for.
  const shown =
    chosen ??
    (['Failed', 'Running', 'Waiting'] as const)
      .map((status) => execution.tasks.find((task) => task.status === status)?.name)
      .find((name) => name !== undefined) ??
    execution.tasks[0]?.name;
  const task = execution.tasks.find(({ name }) => name === shown);
  return (
    <>
      <Head execution={execution} />
      {explanation === undefined ? null : <Explanation of={explanation} onChoose={choose} />}
      <Failure of={execution} />
      <div class="split">
        <div>
          <Card title="Graph">
            {execution.graph === undefined ? (
              <p class="dim pad">
                This process does not have the graph of the workflow. Its tasks:
              </p>
            ) : (
              <Graph
                graph={execution.graph}
                tasks={execution.tasks}
                chosen={shown}
                onChoose={choose}
              />
            )}
            <TaskChips execution={execution} chosen={shown} onChoose={choose} />
          </Card>
          <Card title="Timeline" place={2}>
            <Loaded from={history}>
              {(entries) => (
                <Timeline
                  execution={execution}
                  history={entries}
                  chosen={shown}
                  onChoose={choose}
                />
              )}
            </Loaded>
          </Card>
          <Card
            title={execution.completedAt === undefined ? 'Context so far' : 'Context'}
            place={4}
          >
            <Context execution={execution} path={path} />
          </Card>
        </div>
        <div>
          <Card title="Task" place={1}>
            {task === undefined ? (
              <div class="empty">Choose a task in the graph or in the timeline.</div>
            ) : (
              <TaskPanel task={task} tenant={execution.tenant} path={path} />
            )}
          </Card>
          <Facts execution={execution} tree={tree} />
          <Card
            title="History"
            side={
              <a class="small" href={actionsOf(execution.tenant, execution.workflow)}>
                Actions on the workflow
              </a>
            }
            place={5}
          >
            <Loaded
              from={history}
              isEmpty={({ entries }) => entries.length === 0}
              empty="Nothing has happened yet."
            >
              {({ entries }) => <HistoryList entries={entries} tenant={execution.tenant} />}
            </Loaded>
          </Card>
        </div>
      </div>
    </>
  );
}

function Head({ execution }: { execution: ExecutionResponse }) {
  const { tenant, id, workflow, status } = execution;
  const signals = execution.tasks.flatMap(({ waitingFor }) =>
    waitingFor?.reason === 'signal' && waitingFor.wait !== undefined ? [waitingFor.wait] : [],
  );
  const order = Object.keys(ACTIONS) as ExecutionAction[];
  return (
    <div class="page-head">
      <div>
        <p class="crumbs">
          <a href={linkTo(['t', tenant, 'executions'])}>Executions</a> /{' '}
          <a href={linkTo(['t', tenant, 'executions'], { workflow })}>
            <Name text={workflow} max={60} />
          </a>
        </p>
        <h1>
          <Name text={workflow} max={60} /> <Status of={status} />
        </h1>
        <p class="id">
          <code>{id}</code>
          {/* Without HTTPS, browsers have no clipboard. */}
          {isSecureContext ? (
            <button
              type="button"
              class="link"
              onClick={() => void navigator.clipboard.writeText(id).then(() => toast('Copied.'))}
            >
              Copy
            </button>
          ) : null}
        </p>
      </div>
      <div class="buttons">
        {order
          .filter((action) => execution.actions.includes(action))
          .map((action) => (
            <button
              key={action}
              type="button"
              class={action === 'cancel' ? 'danger' : undefined}
              data-action={action}
              onClick={() => openAction(action, execution, signals)}
            >
              {ACTIONS[action]}
            </button>
          ))}
      </div>
    </div>
  );
}

/** Why the execution failed. The panel of the task has the details, unless no task has the error. */
function Failure({ of: { error, tasks } }: { of: ExecutionResponse }) {
  if (error === undefined) return null;
  const task = tasks.find((one) => one.error?.message === error.message);
  return (
    <section class="banner failed" aria-label="Why it failed">
      {task === undefined ? (
        <ErrorDetails error={error} />
      ) : (
        <p>
          <b class="bad">
            <Name text={task.name} />
          </b>{' '}
          failed: <Words text={error.message} max={400} />
          {error.cause === undefined ? null : (
            <span class="dim">
              {' '}
              caused by <Words text={error.cause.message} max={200} />
            </span>
          )}
        </p>
      )}
    </section>
  );
}

/** Why the execution has not ended, in words. */
function Explanation({ of, onChoose }: { of: ExplainResponse; onChoose: (task: string) => void }) {
  return (
    <section class="banner explain" aria-label="Why it has not ended">
      <p>
        <Sentence text={of.summary} />
      </p>
      {of.tasks.length < 2 ? null : (
        <details>
          <summary>
            {of.open} {of.open === 1 ? 'task has' : 'tasks have'} not ended
          </summary>
          <ul>
            {of.tasks.slice(0, 50).map(({ task, item, text }) => (
              <li key={`${task}/${item ?? ''}`}>
                <button type="button" class="link" onClick={() => onChoose(task)}>
                  <Name text={task} />
                </button>{' '}
                <Sentence text={text} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

/** The tasks as a list: for graphs that are not drawn, and for keyboards. */
function TaskChips({
  execution,
  chosen,
  onChoose,
}: {
  execution: ExecutionResponse;
  chosen: string | undefined;
  onChoose: (task: string) => void;
}) {
  const known = new Set(execution.graph?.tasks.map(({ name }) => name));
  const rest =
    known.size > 400 ? execution.tasks : execution.tasks.filter(({ name }) => !known.has(name));
  if (rest.length === 0) return null;
  return (
    <ul class="task-list">
      {rest.slice(0, 1_000).map(({ name, status }) => (
        <li key={name}>
          <button type="button" aria-pressed={name === chosen} onClick={() => onChoose(name)}>
            <Status of={status} /> <Name text={name} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function Context({ execution, path }: { execution: ExecutionResponse; path: string }) {
  const entries = Object.entries(execution.context);
  if (entries.length === 0) return <div class="empty">The context is empty.</div>;
  return (
    <dl class="values">
      {entries.map(([name, view]) => (
        <div key={name}>
          <dt>
            <Name text={name} max={60} />
          </dt>
          <dd>
            <Value view={view} path={`${path}/values/${encodeURIComponent(name)}`} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Facts({
  execution,
  tree,
}: {
  execution: ExecutionResponse;
  tree: TreeResponse | undefined;
}) {
  const { tenant, parent, idempotencyKey, tags = {}, reason, version } = execution;
  const children = tree?.children ?? [];
  return (
    <Card title="About" place={3}>
      <dl class="about">
        <Fact name="Created">
          <Ago at={execution.createdAt} />
        </Fact>
        <Fact name="Started">
          <Ago at={execution.startedAt} />
        </Fact>
        <Fact name="Took">
          <Lasted from={execution.startedAt} to={execution.completedAt} />
        </Fact>
        <Fact name="Tenant">
          <Name text={tenant} />
        </Fact>
        {version === undefined ? null : (
          <Fact name="Version">
            <Name text={version} />
          </Fact>
        )}
        {reason === undefined ? null : (
          <Fact name="Reason">
            <Words text={reason} />
          </Fact>
        )}
        {idempotencyKey === undefined ? null : (
          <Fact name="Key">
            <Words text={idempotencyKey} />
          </Fact>
        )}
        {Object.keys(tags).length === 0 ? null : (
          <Fact name="Tags">
            {Object.entries(tags).map(([name, value]) => (
              <a
                key={name}
                class="tag"
                href={linkTo(['t', tenant, 'executions'], { tag: `${name}:${value}` })}
              >
                <bdi>{cutText(`${name}:${value}`, 60)}</bdi>
              </a>
            ))}
          </Fact>
        )}
        {parent === undefined ? null : (
          <Fact name="Parent">
            <ExecutionLink tenant={tenant} id={parent.id} />{' '}
            <span class="dim">by {cutText(parent.step, 40)}</span>
          </Fact>
        )}
        {children.length === 0 ? null : (
          <Fact name="Children">
            <ul class="children">
              {children.slice(0, 20).map((child) => (
                <li key={child.id}>
                  <Status of={child.status} />{' '}
                  <a href={linkTo(['t', tenant, 'executions', child.id])}>
                    <Name text={child.workflow} max={28} />
                  </a>
                </li>
              ))}
            </ul>
            {children.length > 20 ? (
              <a href={linkTo(['t', tenant, 'executions'], { parent: execution.id })}>
                All {children.length}
              </a>
            ) : null}
          </Fact>
        )}
      </dl>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
