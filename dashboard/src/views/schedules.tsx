import type { ComponentChildren } from 'preact';
import type {
  FiringsResponse,
  Page,
  PreviewResponse,
  ScheduleRow,
} from '../../../lib/dashboard/http-types.js';
import { post, tenantApi } from '../core/api.js';
import { cutText, formatMoment } from '../core/format.js';
import { touch } from '../core/live.js';
import { useResource } from '../core/resource.js';
import { linkTo, place } from '../core/router.js';
import { session } from '../core/session.js';
import { ActionForm, Field, ReasonField, reasonOf, textOf } from '../ui/actions.js';
import { showDialog, toast } from '../ui/dialog.js';
import { Value } from '../ui/json.js';
import { Pager } from '../ui/pager.js';
import { Ago, Card, ExecutionLink, Loaded, Name, Table, Words } from '../ui/parts.js';
import { actionsOf } from './actions.js';

/** When it fires, as people write it. */
function specText({ cron, every, at, timezone }: ScheduleRow['spec']): string {
  if (cron !== undefined) return `${cron} ${timezone ?? 'UTC'}`;
  if (every !== undefined) return `every ${typeof every === 'number' ? `${every} ms` : every}`;
  return at === undefined ? '' : `once, ${formatMoment(at)}`;
}

export function SchedulesView({ tenant }: { tenant: string }) {
  const cursor = place.value.query.get('cursor');
  const after = cursor === null ? '' : `?after=${encodeURIComponent(cursor)}`;
  const page = useResource<Page<ScheduleRow>>(tenantApi(tenant, 'schedules') + after, tenant);
  return (
    <>
      <div class="page-head">
        <h1>Schedules</h1>
      </div>
      <Card title="By name">
        <Loaded
          from={page}
          isEmpty={({ items }) => items.length === 0}
          empty="This tenant has no schedules. Declare one with @Schedule, or create one with runner.schedules.create()."
        >
          {({ items, nextCursor }) => (
            <>
              <Table
                label="Schedules"
                columns={['Schedule', 'State', 'Workflow', 'Fires', 'Next', 'Last', '']}
              >
                {items.map((one) => (
                  <tr key={one.name}>
                    <td>
                      <a href={linkTo(['t', tenant, 'schedules', one.name])}>
                        <Name text={one.name} />
                      </a>
                    </td>
                    <td>
                      <State of={one} />
                    </td>
                    <td>
                      <Name text={one.workflow} max={32} />
                    </td>
                    <td class="mono">
                      <Name text={specText(one.spec)} max={40} />
                    </td>
                    <td>
                      <Ago at={one.nextAt} />
                    </td>
                    <td>
                      <Ago at={one.lastFiredFor} />{' '}
                      {one.lastExecutionId === undefined ? null : (
                        <ExecutionLink tenant={tenant} id={one.lastExecutionId} />
                      )}
                    </td>
                    <td>
                      <Actions tenant={tenant} of={one} />
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

function State({ of }: { of: ScheduleRow }) {
  return (
    <span
      class={`schedule ${of.state}`}
      title={cutText(of.reason ?? of.lastError?.message ?? '', 500)}
    >
      {of.state}
    </span>
  );
}

function Actions({ tenant, of, whole }: { tenant: string; of: ScheduleRow; whole?: boolean }) {
  if (session.value?.readOnly === true) return null;
  const path = (action: string): string => tenantApi(tenant, 'schedules', of.name, action);
  const run = (action: string, said: string): void =>
    void post(path(action)).then(
      () => {
        toast(said);
        touch('*');
      },
      (error: Error) => toast(error.message, true),
    );
  const open = (title: string, content: ComponentChildren): void => showDialog(title, content);
  return (
    <div class="buttons">
      <button type="button" onClick={() => run('run', 'Started.')}>
        Run now
      </button>
      {of.state === 'paused' ? (
        <button
          type="button"
          onClick={() =>
            open(
              'Resume this schedule?',
              <ActionForm
                label="Resume"
                done="Resumed."
                run={(form) =>
                  post(path('resume'), form.has('once') ? { catchUp: 'once' } : { catchUp: 'skip' })
                }
              >
                <label class="check">
                  <input type="checkbox" name="once" /> Fire once for the times that were missed
                </label>
              </ActionForm>,
            )
          }
        >
          Resume…
        </button>
      ) : (
        <button
          type="button"
          onClick={() =>
            open(
              'Pause this schedule?',
              <ActionForm
                label="Pause"
                done="Paused."
                run={(form) => post(path('pause'), reasonOf(form))}
              >
                <ReasonField />
              </ActionForm>,
            )
          }
        >
          Pause…
        </button>
      )}
      {whole === true ? (
        <button
          type="button"
          onClick={() => open('Backfill', <BackfillForm path={path('backfill')} />)}
        >
          Backfill…
        </button>
      ) : null}
    </div>
  );
}

function BackfillForm({ path }: { path: string }) {
  return (
    <ActionForm
      label="Backfill"
      done={({ changed, matched }) => `Started executions: ${changed ?? matched ?? 0}.`}
      run={(form) =>
        post(path, {
          from: new Date(textOf(form, 'from')).toISOString(),
          to: new Date(textOf(form, 'to')).toISOString(),
          overlap: textOf(form, 'overlap'),
        })
      }
    >
      <p>
        Starts an execution for each time of the schedule in a range, except for times that have one
        already.
      </p>
      <Field label="From">
        <input type="datetime-local" name="from" required />
      </Field>
      <Field label="To">
        <input type="datetime-local" name="to" required />
      </Field>
      <Field label="Overlap" hint="What happens while the execution of the time before runs.">
        <select name="overlap">
          <option value="queue">One after another</option>
          <option value="allow">All at once</option>
          <option value="skip">Leave out what would overlap</option>
          <option value="cancelPrevious">Each cancels the one before</option>
        </select>
      </Field>
    </ActionForm>
  );
}

export function ScheduleView({ tenant, name }: { tenant: string; name: string }) {
  const path = tenantApi(tenant, 'schedules', name);
  const schedule = useResource<ScheduleRow>(path, tenant);
  const firings = useResource<FiringsResponse>(`${path}/firings?limit=50`, tenant);
  const preview = useResource<PreviewResponse>(`${path}/preview?count=10`, tenant);
  return (
    <Loaded from={schedule}>
      {(of) => (
        <>
          <div class="page-head">
            <div>
              <p class="crumbs">
                <a href={linkTo(['t', tenant, 'schedules'])}>Schedules</a>
              </p>
              <h1>
                <Name text={of.name} max={60} /> <State of={of} />
              </h1>
              <p class="id">
                <code>{cutText(specText(of.spec), 120)}</code> starts{' '}
                <a href={linkTo(['t', tenant, 'workflows', of.workflow])}>
                  <Name text={of.workflow} />
                </a>
              </p>
            </div>
            <div class="buttons">
              <a class="button" href={actionsOf(tenant, of.name)}>
                Actions
              </a>
              <Actions tenant={tenant} of={of} whole />
            </div>
          </div>
          {of.reason === undefined && of.lastError === undefined ? null : (
            <div class="banner failed">
              <Words text={of.lastError?.message ?? of.reason ?? ''} max={400} />
            </div>
          )}
          <div class="two">
            <Card title="Last firings">
              <Loaded
                from={firings}
                isEmpty={(data) => data.firings.length === 0}
                empty="It has not fired yet."
              >
                {(data) => (
                  <Table label="Firings" columns={['For', 'Outcome', 'Execution']}>
                    {data.firings.map((firing) => (
                      <tr key={`${firing.scheduledFor} ${firing.firedAt}`}>
                        <td>
                          <Ago at={firing.scheduledFor} />
                          {firing.count > 1 ? <span class="dim"> × {firing.count}</span> : null}
                        </td>
                        <td>{firing.outcome}</td>
                        <td>
                          {firing.executionId === undefined ? (
                            '–'
                          ) : (
                            <ExecutionLink tenant={tenant} id={firing.executionId} />
                          )}
                        </td>
                      </tr>
                    ))}
                  </Table>
                )}
              </Loaded>
            </Card>
            <Card title="Next firings">
              <Loaded
                from={preview}
                isEmpty={({ times }) => times.length === 0}
                empty="No firing is left."
              >
                {({ times }) => (
                  <ol class="times">
                    {times.map((time) => (
                      <li key={time}>
                        {formatMoment(time)}{' '}
                        <span class="dim">
                          <Ago at={time} />
                        </span>
                      </li>
                    ))}
                  </ol>
                )}
              </Loaded>
              {of.input === undefined ? null : (
                <div class="pad">
                  <h4>Input</h4>
                  <Value view={of.input} />
                </div>
              )}
            </Card>
          </div>
        </>
      )}
    </Loaded>
  );
}
