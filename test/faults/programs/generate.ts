import { pick, randomFrom } from '../workload/random.js';
import type { Op, ParentEnd, Program, ProgramNode, ProgramTask } from './program.js';

/** How often each kind of point comes about, relative to the others. */
const WEIGHTS = {
  step: 3,
  insert: 2,
  together: 1,
  sleep: 2,
  signal: 4,
  event: 2,
  timed: 2,
  any: 2,
  shared: 1,
  callback: 1,
  flaky: 1,
  defer: 1,
  child: 2,
  children: 1,
  aside: 1,
} as const;
const KINDS = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind as keyof typeof WEIGHTS),
);
const CHILD_KINDS = new Set<string>(['child', 'children', 'aside']);
/** Programs without children: the leaves of every tree. */
const LEAVES = 3;
/** Points of a program that start children, so that trees stay small. */
const MAX_FAMILIES = 2;
/** One task of this number fails for good. */
const FAILING = 16;

/** The same programs from the same seed, in the test and in its processes. A program's children come before it. */
export function generatePrograms(seed: number, count: number): Program[] {
  const random = randomFrom(seed);
  const programs: Program[] = [];
  for (let no = 0; no < count; no++) {
    programs.push(new Generator(random, programs.slice(0, no >= LEAVES ? no : 0)).program(no));
  }
  return programs;
}

class Generator {
  private families = 0;
  private names = 0;

  constructor(
    private readonly random: () => number,
    private readonly children: readonly Program[],
  ) {}

  program(no: number): Program {
    const { random } = this;
    const tasks: ProgramTask[] = [];
    const size = 1 + Math.floor(random() * 4);
    for (let i = 0; i < size; i++) {
      const dependsOn = tasks.filter(() => random() < 0.5).map(({ name }) => name);
      tasks.push(this.task(`t${i}`, dependsOn));
    }
    // The waits of a node time out soon; only some programs as a whole do, and not those that others are made of.
    const isDoomed = no >= LEAVES && no % 5 === 4;
    if (isDoomed) {
      const ops: Op[] = [{ kind: 'timed', name: 'never', ms: 600_000, isSent: false }];
      tasks.push({ name: 'waits', dependsOn: [], ops });
    }
    return { name: `p${no}`, tasks, ...(isDoomed ? { timeoutMs: 1_500 } : {}) };
  }

  private task(name: string, dependsOn: readonly string[]): ProgramTask {
    const { random } = this;
    const base = { name, dependsOn, ...(random() < 0.15 ? { always: true } : {}) };
    const kind = random();
    if (kind < 0.25) return { ...base, ops: [], node: this.node() };
    if (kind < 0.35) return { ...base, transactional: true, ops: this.transactionalOps(name) };
    const count = 1 + Math.floor(random() * 5);
    const ops = Array.from({ length: count }, (): Op => this.op(name));
    if (random() < 1 / FAILING) ops.push({ kind: 'fail', name: this.name(name) });
    return { ...base, ops };
  }

  private name(task: string): string {
    return `${task}x${this.names++}`;
  }

  private child(): string {
    return pick(this.random, this.children).name;
  }

  private parentEnd(): ParentEnd {
    return this.random() < 0.7 ? 'cancel' : 'abandon';
  }

  private get mayHaveChildren(): boolean {
    return this.children.length > 0 && this.families < MAX_FAMILIES;
  }

  private node(): ProgramNode {
    const { random } = this;
    const kind = pick(random, ['signal', 'signal', 'event', 'timeout', 'sleep', 'child', 'child']);
    switch (kind) {
      case 'timeout': {
        const onTimeout = pick(random, ['fail', 'skip', 'complete', 'complete'] as const);
        return { kind, ms: 20 + Math.floor(random() * 300), onTimeout };
      }
      case 'sleep':
        return { kind, ms: Math.floor(random() * 400) };
      case 'child':
        if (!this.mayHaveChildren) return { kind: 'event' };
        this.families++;
        return { kind, program: this.child(), onParentEnd: this.parentEnd() };
      case 'event':
        return { kind };
      default:
        return { kind: 'signal', from: 'outside' };
    }
  }

  private transactionalOps(task: string): Op[] {
    const ops: Op[] = [{ kind: 'insert', name: this.name(task) }];
    if (this.mayHaveChildren && this.random() < 0.7) {
      this.families++;
      const onParentEnd = this.parentEnd();
      ops.push({ kind: 'aside', name: this.name(task), program: this.child(), onParentEnd });
    }
    return ops;
  }

  private op(task: string): Op {
    const { random } = this;
    const name = this.name(task);
    const kind = pick(random, KINDS);
    if (CHILD_KINDS.has(kind)) {
      if (!this.mayHaveChildren) return { kind: 'step', name };
      this.families++;
    }
    switch (kind) {
      case 'sleep':
        return { kind, name, ms: Math.floor(random() * 300) };
      case 'signal':
      case 'event':
        return { kind, name, from: random() < 0.5 ? 'itself' : 'outside' };
      case 'timed':
        return { kind, name, ms: 10 + Math.floor(random() * 600), isSent: random() < 0.7 };
      case 'child': {
        const key = pick(random, ['none', 'none', 'own', 'shared'] as const);
        const settles = random() < 0.7;
        return { kind, name, program: this.child(), onParentEnd: this.parentEnd(), key, settles };
      }
      case 'children':
        return { kind, name, programs: Array.from({ length: 3 }, () => this.child()) };
      case 'aside':
        return { kind, name, program: this.child(), onParentEnd: this.parentEnd() };
      default:
        return { kind, name };
    }
  }
}
