/**
 * Whether executions of a tenant have children, as far as this process knows. Only then it looks in each round for ends that
 * a dead process has left unsettled: each relation in a statement for all tenants costs planning, and most have no children.
 *
 * It knows from its own starts and ends, and from the notification of the first process that does either. In case that is
 * lost, `SettlePass` asks the tables now and then.
 */
export class ChildUse {
  private isNoted = false;

  /**
   * @param tellOthers - called once: the other processes have to look too, because this one may die first
   * @param admits - whether this process knows workflows with an admission, whose ends let other executions begin
   */
  constructor(
    private readonly tellOthers: () => void,
    private readonly admits: () => boolean,
  ) {}

  get isUsed(): boolean {
    return this.isNoted || this.admits();
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
