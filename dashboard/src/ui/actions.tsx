import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type {
  ActionResponse,
  BulkBody,
  CappedCount,
  ExecutionAction,
  ExecutionResponse,
} from '../../../lib/dashboard/http-types.js';
import { get, post, tenantApi } from '../core/api.js';
import { formatCount, formatNumber } from '../core/format.js';
import { touch } from '../core/live.js';
import { linkTo } from '../core/router.js';
import { closeDialog, showDialog, toast } from './dialog.js';
import { Trouble } from './parts.js';

/** A form in a dialog: its fields, what it does, and what the server said against it. */
export function ActionForm({
  label,
  isDangerous = false,
  run,
  done,
  children,
}: {
  label: string;
  isDangerous?: boolean;
  run: (form: FormData) => Promise<ActionResponse>;
  done: string | ((response: ActionResponse) => string);
  children?: ComponentChildren;
}) {
  const [error, setError] = useState<Error | undefined>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const response = await run(new FormData(event.currentTarget as HTMLFormElement));
      closeDialog();
      toast(typeof done === 'string' ? done : done(response));
      touch('*');
    } catch (reason) {
      setError(reason as Error);
      setBusy(false);
    }
  };
  return (
    <form class="dialog-form" onSubmit={(event) => void submit(event)}>
      {children}
      {error === undefined ? null : <Trouble error={error} />}
      <footer>
        <button type="button" onClick={closeDialog}>
          Back
        </button>
        <button type="submit" class={isDangerous ? 'primary danger' : 'primary'} disabled={isBusy}>
          {label}
        </button>
      </footer>
    </form>
  );
}

export function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: ComponentChildren;
}) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
      {hint === undefined ? null : <small>{hint}</small>}
    </label>
  );
}

export function ReasonField() {
  return (
    <Field label="Reason" hint="Optional. It is stored in the history.">
      <input name="reason" maxLength={500} autocomplete="off" />
    </Field>
  );
}

export function textOf(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}

export function reasonOf(form: FormData): { reason?: string } {
  const reason = textOf(form, 'reason').trim();
  return reason === '' ? {} : { reason };
}

type Of = Pick<ExecutionResponse, 'tenant' | 'id'>;

const pathOf = ({ tenant, id }: Of, action: string): string =>
  tenantApi(tenant, 'executions', id, action);

/** Opens the dialog of an action of one execution. */
export function openAction(action: ExecutionAction, of: Of, signals: readonly string[] = []): void {
  const dialogs: Record<ExecutionAction, () => void> = {
    cancel: () =>
      showDialog(
        'Cancel this execution?',
        <ActionForm
          label="Cancel execution"
          isDangerous
          done="Cancelled."
          run={(form) => post(pathOf(of, 'cancel'), reasonOf(form))}
        >
          <p>The abort signals of running handlers fire. Tasks that have not begun never run.</p>
          <ReasonField />
        </ActionForm>,
      ),
    pause: () =>
      showDialog(
        'Pause this execution?',
        <ActionForm
          label="Pause"
          done="Paused."
          run={(form) =>
            post(pathOf(of, 'pause'), {
              ...reasonOf(form),
              ...(form.has('tree') ? { tree: true } : {}),
            })
          }
        >
          <p>Running tasks finish. No further task begins until it is resumed.</p>
          <ReasonField />
          <label class="check">
            <input type="checkbox" name="tree" /> Also its children, and their children
          </label>
        </ActionForm>,
      ),
    resume: () =>
      void post(pathOf(of, 'resume')).then(
        () => {
          toast('Resumed.');
          touch('*');
        },
        (error: Error) => toast(error.message, true),
      ),
    retry: () =>
      showDialog(
        'Retry this execution?',
        <ActionForm
          label="Retry"
          done="Retried."
          run={(form) =>
            post(pathOf(of, 'retry'), {
              steps: form.has('discard') ? 'discard' : 'keep',
              items: form.has('all') ? 'all' : 'failed',
            })
          }
        >
          <p>
            Its failed and cancelled tasks run again, and those that were skipped because of a
            failure. Completed tasks keep their results.
          </p>
          <label class="check">
            <input type="checkbox" name="discard" /> Discard the recorded steps of these tasks
          </label>
          <label class="check">
            <input type="checkbox" name="all" /> Run all items of a map again, not only the failed
            ones
          </label>
        </ActionForm>,
      ),
    signal: () => showDialog('Send a signal', <SignalForm of={of} signals={signals} />),
  };
  dialogs[action]();
}

function SignalForm({ of, signals }: { of: Of; signals: readonly string[] }) {
  return (
    <ActionForm
      label="Send"
      done="Signal sent."
      run={(form) =>
        post(pathOf(of, 'signal'), {
          name: textOf(form, 'name'),
          payload: jsonOf(textOf(form, 'payload')),
        })
      }
    >
      <Field
        label="Name"
        hint={
          signals.length === 0
            ? 'No task waits for a signal now; it is kept for the next wait.'
            : 'The execution waits for it.'
        }
      >
        <input
          name="name"
          required
          list="signal-names"
          defaultValue={signals[0] ?? ''}
          autocomplete="off"
        />
      </Field>
      <datalist id="signal-names">
        {signals.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Field label="Payload" hint="JSON">
        <textarea
          name="payload"
          rows={6}
          class="mono"
          spellcheck={false}
          defaultValue="{}"
          autofocus={signals.length > 0}
        />
      </Field>
    </ActionForm>
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.trim() || 'null');
  } catch (error) {
    throw new Error(`The payload is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Counts what an action would change, asks, and follows it to its end. */
export function BulkForm({
  tenant,
  verb,
  count,
  run,
  isDangerous = false,
}: {
  tenant: string;
  verb: string;
  count: () => Promise<ActionResponse>;
  run: () => Promise<ActionResponse>;
  isDangerous?: boolean;
}) {
  const [found, setFound] = useState<CappedCount | undefined>();
  const [error, setError] = useState<Error | undefined>();
  const [response, setResponse] = useState<ActionResponse | undefined>();
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    count().then(
      ({ matched = 0, isCapped = false }) => setFound({ count: matched, isCapped }),
      setError,
    );
  }, []);
  const start = (): void => {
    setBusy(true);
    run().then((answer) => {
      setResponse(answer);
      touch('*');
    }, setError);
  };
  if (error !== undefined) return <Trouble error={error} />;
  if (response !== undefined) return <BulkProgress tenant={tenant} response={response} />;
  if (found === undefined) return <p role="status">Counting…</p>;
  const isNone = found.count === 0 && !found.isCapped;
  const isOne = found.count === 1 && !found.isCapped;
  // The count has ended before it came to a match.
  const number = found.count === 0 ? 'all matching' : formatCount(found);
  const executions = `${number} execution${isOne ? '' : 's'}`;
  return (
    <div class="dialog-form">
      <p>
        {isNone ? 'No matching execution can be changed.' : `${verb} ${executions} in tenant `}
        {isNone ? null : <b>{tenant}</b>}
        {isNone ? null : '?'}
      </p>
      <footer>
        <button type="button" onClick={closeDialog}>
          Back
        </button>
        <button
          type="button"
          class={isDangerous ? 'primary danger' : 'primary'}
          disabled={isNone || isBusy}
          onClick={start}
        >
          {verb} {executions}
        </button>
      </footer>
    </div>
  );
}

/** Follows the operation that a large action started. */
function BulkProgress({ tenant, response }: { tenant: string; response: ActionResponse }) {
  const { executionId, changed, matched } = response;
  const [state, setState] = useState<{ done: number; total: number; status: string } | undefined>();
  useEffect(() => {
    if (executionId === undefined) return;
    const leaving = new AbortController();
    const follow = async (): Promise<void> => {
      while (!leaving.signal.aborted) {
        const { status, tasks } = await get<ExecutionResponse>(
          tenantApi(tenant, 'executions', executionId),
        );
        const view = tasks.find(({ progress }) => progress !== undefined)?.progress?.value;
        const { done = 0, total = matched ?? 0 } =
          view?.kind === 'json' ? (view.value as { done?: number; total?: number }) : {};
        setState({ done, total, status });
        if (['Completed', 'Failed', 'Cancelled'].includes(status)) break;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    };
    follow().catch((error: Error) => toast(error.message, true));
    return () => leaving.abort();
  }, [executionId]);
  if (executionId === undefined) {
    return <p role="status">{formatNumber(changed ?? 0)} changed.</p>;
  }
  return (
    <div role="status">
      <progress
        max={Math.max(1, state?.total ?? matched ?? 1)}
        value={state?.status === 'Completed' ? Math.max(1, state.total) : (state?.done ?? 0)}
        aria-label="Progress"
      />
      <p>
        {state === undefined
          ? 'Starting…'
          : state.status === 'Completed'
            ? 'Done.'
            : `${formatNumber(state.done)} of ${formatNumber(state.total)}`}{' '}
        <a href={linkTo(['t', tenant, 'executions', executionId])} onClick={closeDialog}>
          The operation
        </a>{' '}
        continues if you close this page.
      </p>
    </div>
  );
}

export function openBulk(
  tenant: string,
  action: BulkBody['action'],
  filter: BulkBody['filter'],
): void {
  const verb = { cancel: 'Cancel', pause: 'Pause', resume: 'Resume', retry: 'Retry' }[action];
  const path = tenantApi(tenant, 'bulk');
  showDialog(
    `${verb} all that match`,
    <BulkForm
      tenant={tenant}
      verb={verb}
      isDangerous={action === 'cancel'}
      count={() => post(path, { action, filter, dryRun: true } satisfies BulkBody)}
      run={() => post(path, { action, filter } satisfies BulkBody)}
    />,
  );
}
