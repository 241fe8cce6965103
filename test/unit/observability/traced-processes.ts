import { afterEach, beforeEach } from '@jest/globals';
import { describeDefinition } from '../../../lib/discovery/build-registration.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { BuiltWorkflow, type WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { Telemetry, type OpenTelemetryOptions } from '../../../lib/observability/open-telemetry.js';
import { traceWith } from '../../../lib/runtime/untraced.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { MemoryDatabase } from '../../../lib/testing/memory-store/index.js';
import { MemoryProcess } from '../engine/memory-process.js';

/** Processes on one store in memory and a clock that stands still, each of them traced and measured. */
export class TracedProcesses {
  clock!: ManualClock;
  private database!: MemoryDatabase;
  private open: MemoryProcess[] = [];

  begin(): void {
    this.clock = new ManualClock();
    this.database = new MemoryDatabase(this.clock);
    this.open = [];
  }

  /** @param options - undefined: the process is not traced */
  async boot(
    workflows: readonly WorkflowDefinition[],
    {
      tasks,
      options,
    }: { readonly tasks?: number; readonly options?: OpenTelemetryOptions | null } = {},
  ): Promise<MemoryProcess> {
    const telemetry = options === null ? undefined : new Telemetry(options ?? {}, this.clock);
    if (telemetry !== undefined) traceWith(telemetry);
    const process = new MemoryProcess(this.clock, workflows.map(registeredOf), {
      database: this.database,
      ...(tasks === undefined ? {} : { tasks }),
      ...(telemetry === undefined ? {} : { telemetry }),
    });
    this.open.push(process);
    await process.open();
    process.engine.claimAvailable();
    return process;
  }

  /** Lets the processes work until the execution has ended. */
  async ended(process: MemoryProcess, id: string, stepMs = 1_000): Promise<string> {
    for (let turns = 0; turns < 2_000; turns++) {
      await this.clock.advance(turns % 20 === 19 ? stepMs : 0);
      const status = await process.statusOf(id);
      if (status === 'Completed' || status === 'Failed' || status === 'Cancelled') return status;
    }
    throw new Error('The execution has not ended.');
  }

  async end(): Promise<void> {
    const closing = Promise.all(this.open.map((one) => one.close())).then(() => 'closed' as const);
    while ((await Promise.race([closing, this.clock.advance(1_000)])) !== 'closed');
  }
}

function registeredOf(definition: WorkflowDefinition): RegisteredWorkflow {
  if (!(definition instanceof BuiltWorkflow)) throw new Error('It is not built.');
  const built = describeDefinition({ definition, module: 'the test' });
  if (built.registered === undefined) throw new Error(built.problems.join('\n'));
  return built.registered;
}

/** Processes for each test of a file. */
export function tracedProcesses(): TracedProcesses {
  const processes = new TracedProcesses();
  beforeEach(() => processes.begin());
  afterEach(() => processes.end());
  return processes;
}
