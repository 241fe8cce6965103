type Step = () => Promise<unknown>;

/**
 * Does `step` when all hooks of the test file are over. Jest runs `afterAll` hooks in the order of their definition, and
 * those of an imported module before the file's own: what it ended there, the file's own hooks would still be using.
 */
export function afterFile(step: Step): void {
  const steps: unknown = Reflect.get(globalThis, Symbol.for('cloacina.test.afterFile'));
  if (!Array.isArray(steps)) throw new Error('This is not the environment of `environment.mjs`.');
  steps.push(step);
}
