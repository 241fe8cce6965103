import type { Clock } from '../../runtime/clock.js';
import type { EngineSession } from '../../store/port/index.js';
import type { SlotScheduler } from '../slots/slot-scheduler.js';

export interface ProcessEngineOptions<S extends EngineSession> {
  readonly clock: Clock;
  readonly slots: SlotScheduler;
  readonly leaseDurationMs: number;
  /** Called when a process on this database has joined or is lost. */
  readonly onProcesses: () => unknown;
  /** Called when the processes begin to watch each other, because there are leases. */
  readonly onWatch: () => void;
  /** Called when another process has swept tenants. `sender` is its backend. */
  readonly onSwept: (digest: string, sender: number) => void;
  /** Called when the server has begun another life, in which the latest writes may be missing. */
  readonly onNewLife: () => void;
  /** Called when what this process serves has changed. */
  readonly onServing?: () => void;
  /** Called when another process has added a tenant. */
  readonly onTenants: () => unknown;
  /** The liveness locks of the other processes that are known to live. */
  readonly peers: () => Iterable<string>;
  readonly open: (
    process: { readonly id: string },
    onPayload: (payload: string, sender: number) => void,
    onLost: (error: Error | undefined) => void,
  ) => Promise<S>;
  /** Sends notifications while there is no session. */
  readonly notify?: (payloads: readonly string[]) => Promise<void> | undefined;
}
