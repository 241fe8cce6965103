/** Where a process crashes: see {@link CrashPoint}. */
export type CrashMoment = 'claim' | 'handler' | 'record';

interface ArmedCrash {
  readonly after: CrashMoment;
  readonly workflow?: string;
  readonly task?: string;
}

/** The point at which the process is to crash next, if there is one. It crashes once. */
export class CrashSwitch {
  private armed: ArmedCrash | undefined;

  /** @param kill - kills the process at once */
  constructor(private readonly kill: () => void) {}

  arm(crash: ArmedCrash | undefined): void {
    this.armed = crash;
  }

  /** Kills the process if it is to crash here, and returns whether it has. */
  strikes(
    moment: CrashMoment,
    { workflow, task }: { readonly workflow: string; readonly task: string },
  ): boolean {
    const { armed } = this;
    if (armed?.after !== moment) return false;
    if (armed.workflow !== undefined && armed.workflow !== workflow) return false;
    if (armed.task !== undefined && armed.task !== task) return false;
    this.armed = undefined;
    this.kill();
    return true;
  }
}
