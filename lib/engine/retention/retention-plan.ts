import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { RetentionRules } from '../../store/port/index.js';
import {
  deletesAny,
  KEEP_ALL,
  shortestPeriods,
  type RetentionRule,
} from '../../workflow/retention.js';

/** A change of the stored rules: null for a workflow whose code no longer gives one. */
export type RuleChanges = Readonly<Record<string, RetentionRule | null>>;

/**
 * Which rule holds for which workflow. The code of a workflow decides; without it, what a process with the code has stored,
 * because the tenant's own periods may be much shorter.
 */
export class RetentionPlan {
  private stored: RetentionRules = {};

  constructor(
    private readonly ofTenant: RetentionRule,
    private readonly workflows: () => readonly RegisteredWorkflow[],
  ) {}

  /** The rules that the code of this process gives. */
  get ofCode(): RetentionRules {
    const rules: Record<string, RetentionRule> = {};
    for (const { definition, retention } of this.workflows()) {
      if (retention !== undefined) rules[definition.name] = retention;
    }
    return rules;
  }

  /** Takes the stored rules. Returns what of them the code of this process contradicts. */
  takeStored(rules: Readonly<Record<string, RetentionRule | null>>): RuleChanges {
    const known = new Map(this.workflows().map((one) => [one.definition.name, one.retention]));
    const changes: Record<string, null> = {};
    const valid: Record<string, RetentionRule> = {};
    for (const [workflow, rule] of Object.entries(rules)) {
      if (rule === null) continue;
      if (known.has(workflow) && known.get(workflow) === undefined) changes[workflow] = null;
      else valid[workflow] = rule;
    }
    this.stored = { ...valid, ...this.ofCode };
    return changes;
  }

  ruleOf(workflow: string): RetentionRule {
    return this.stored[workflow] ?? this.ofTenant;
  }

  /** The shortest periods of all rules; undefined if none deletes anything. */
  get shortest(): Omit<RetentionRule, 'keepLast'> | undefined {
    const periods = shortestPeriods([
      this.ofTenant,
      ...Object.values(this.stored),
      ...Object.values(this.ofCode),
    ]);
    return deletesAny({ ...KEEP_ALL, ...periods }) ? periods : undefined;
  }
}
