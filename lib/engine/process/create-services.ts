import type { EngineSession } from '../../store/port/index.js';
import type { LeaseNotices } from '../lease/lease-notices.js';
import type { ProcessServices } from '../process-services.js';
import type { QueuedBytes } from '../starts/queued-bytes.js';
import { encodeNotification, type Notification } from './notification.js';
import type { ProcessEngineOptions } from './process-engine-options.js';
import type { ProcessTimers } from './process-timers.js';
import type { WorkCalls } from './work-calls.js';

export interface ServicesParts {
  readonly options: Pick<ProcessEngineOptions<EngineSession>, 'clock' | 'onServing' | 'slots'>;
  readonly process: { readonly id: string; readonly name: string };
  readonly session: () => EngineSession | undefined;
  readonly queuedBytes: QueuedBytes;
  readonly notices: Pick<LeaseNotices, 'ask' | 'isDue'>;
  readonly workCalls: Pick<WorkCalls, 'call'>;
  readonly timers: Pick<ProcessTimers, 'schedule'>;
  readonly renewLeases: () => void;
  readonly notify: (notification: Notification) => void;
}

/** What a process does for the engines of its tenants. */
export function createServices({
  options,
  process,
  session,
  queuedBytes,
  notices,
  workCalls,
  timers,
  renewLeases,
  notify,
}: ServicesParts): ProcessServices {
  return {
    clock: options.clock,
    slots: options.slots,
    queuedBytes,
    identity: () => ({
      processId: process.id,
      name: process.name,
      lockEpoch: session()?.epoch ?? null,
      lockSession: session()?.lockSession ?? null,
    }),
    isConnected: () => session() !== undefined,
    hearsNotifications: () => (session()?.lockSession ?? null) !== null,
    mustAnnounceLeases: () => notices.isDue,
    askForWatch: () => notices.ask(),
    announceServing: () => options.onServing?.(),
    renewLeases,
    notifyWork: (tenant, work) => workCalls.call(tenant, work),
    workPayload: (tenant) => encodeNotification({ kind: 'work', tenant }),
    messagePayload: (tenant) => encodeNotification({ kind: 'messages', tenant }),
    notifyMessages: (tenant) => notify({ kind: 'messages', tenant }),
    notifyPauses: (tenant) => notify({ kind: 'pauses', tenant }),
    notifySchedules: (tenant) => notify({ kind: 'schedules', tenant }),
    schedulePayload: (tenant) => encodeNotification({ kind: 'schedules', tenant }),
    notifyChildren: (tenant) => notify({ kind: 'children', tenant }),
    notifyCancelled: (tenant, executionId) => notify({ kind: 'cancelled', tenant, executionId }),
    notifyPaused: (tenant, executionId) => notify({ kind: 'paused', tenant, executionId }),
    notifyEnded: (tenant, executionId) => notify({ kind: 'ended', tenant, executionId }),
    notifyWatched: (tenant, executionId) => notify({ kind: 'watched', tenant, executionId }),
    notifyChanged: (tenant, executionId) => notify({ kind: 'changed', tenant, executionId }),
    schedule: (wakeUp) => timers.schedule(wakeUp),
  };
}
