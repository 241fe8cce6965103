import type { DurableWait } from '../../../lib/engine/waits/durable-wait.js';
import { TaskSteps } from '../../../lib/engine/waits/task-steps.js';
import { changeTexts, takeFenceOut } from '../workload/failpoints.js';

/** What a process is run without, to see that the check notices it. */
export type Control = 'fence' | 'counter' | 'order';

export function takeOut(control: Control): void {
  switch (control) {
    case 'fence':
      takeFenceOut();
      break;
    case 'counter':
      changeTexts((text) => text.replaceAll('t.wakes <> l.wakes', 'false'));
      break;
    case 'order':
      lookBeforeWrite();
      break;
  }
}

/** A wait for a message looks first, and then stores its checkpoint; a message that comes in between is not looked for. */
function lookBeforeWrite(): void {
  // oxlint-disable-next-line typescript/unbound-method -- called with the object that it was called on
  const { wait } = TaskSteps.prototype;
  TaskSteps.prototype.wait = function turned<T>(this: TaskSteps, given: DurableWait<T>) {
    const { look } = given;
    if (look === undefined || given.kind === 'child') return wait.call(this, given) as Promise<T>;
    let isThere = true;
    const turnedWait: DurableWait<T> = {
      ...given,
      open: async (record) => {
        isThere = await findsMessage(this, given);
        return given.open?.(record) ?? this.services.record(this.claim, record);
      },
      look: async (found) => {
        if (found === undefined && !isThere) return undefined;
        return look.call(given, found);
      },
    };
    return wait.call(this, turnedWait) as Promise<T>;
  };
}

/** A look that finds a message says so to the claim, also if it can't take it because the checkpoint is missing. */
async function findsMessage<T>({ claim }: TaskSteps, given: DurableWait<T>): Promise<boolean> {
  let isThere = false;
  Object.defineProperty(claim, 'progressed', {
    configurable: true,
    value: () => {
      isThere = true;
    },
  });
  try {
    await given.look?.(undefined);
  } finally {
    Reflect.deleteProperty(claim, 'progressed');
  }
  return isThere;
}
