/**
 * Whether executions of a tenant have children, as far as this process knows. Only then it looks in each round for ends that
 * a dead process has left unsettled: each relation in a statement for all tenants costs planning, and most have no children.
 *
 * It knows from its own starts and ends, and from the notification of the first process that does either. In case that is
 * lost, `SettlePass` asks the tables now and then.
 */
export class ChildUse {
  private isNoted = false;

  /** @param tellOthers - called once: the other processes have to look too, because this one may die first */
  constructor(private readonly tellOthers: () => void) {}

  get isUsed(): boolean {
    return this.isNoted;
  }

  /** Call when this process starts a child, or settles an end. */
  noted(): void {
    if (this.isNoted) return;
    this.isNoted = true;
    this.tellOthers();
  }

  /** Call when another process has noted it. */
  notedElsewhere(): void {
    this.isNoted = true;
  }
}
