import type { AdmissionNumbers, Supersedes } from '../../store/port/index.js';
import {
  NO_ADMISSION,
  splitAdmissionKey,
  TURN_NUMBERS,
  turnPolicyOf,
  type CheckedAdmission,
  type WhenFull,
} from '../../workflow/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';

/** How the executions of a key are admitted. */
export interface AdmissionRule {
  readonly numbers: AdmissionNumbers;
  readonly supersedes: Supersedes;
}

const SUPERSEDES: Readonly<Record<WhenFull, Supersedes>> = {
  queue: 'none',
  skip: 'none',
  replaceQueued: 'waiting',
  cancelPrevious: 'all',
};

/**
 * Finds the rules of keys by the names of their workflows. They are those of the running code, whatever definition an
 * execution is pinned to, so a deploy changes them for executions that wait.
 */
export class AdmissionRules {
  constructor(private readonly catalog: Pick<DefinitionCatalog, 'currentOf' | 'toStart'>) {}

  /** Whether the code of this process has the workflow of the key, or the key needs none: it is that of a schedule. */
  isServed(key: string): boolean {
    const { workflow } = splitAdmissionKey(key);
    return turnPolicyOf(workflow) !== undefined || this.catalog.currentOf(workflow) !== undefined;
  }

  /** The rule of a key. Without the code, that of the newest stored definition. Undefined if this release can't read it. */
  async ruleOf(key: string): Promise<AdmissionRule | undefined> {
    const { workflow } = splitAdmissionKey(key);
    const policy = turnPolicyOf(workflow);
    if (policy !== undefined) return { numbers: TURN_NUMBERS, supersedes: SUPERSEDES[policy] };
    const current = this.catalog.currentOf(workflow);
    try {
      const { admission } = (current ?? (await this.catalog.toStart(workflow))).workflow;
      return toRule(admission ?? NO_ADMISSION);
    } catch {
      // A process that can read the definition admits its executions.
      return undefined;
    }
  }
}

function toRule({ concurrency, rate, whenFull }: CheckedAdmission): AdmissionRule {
  return {
    numbers: { concurrency, ...(rate === undefined ? {} : { rate }) },
    supersedes: SUPERSEDES[whenFull],
  };
}
