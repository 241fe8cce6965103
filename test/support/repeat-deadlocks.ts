const DEADLOCK = '40P01';

/**
 * Sends statements of a test again for as long as the server ends them to break a deadlock. Statements that lock several
 * tables meet those of living processes, and the server chooses which of them it undoes. Nothing of them is left then.
 */
export async function repeatDeadlocks<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (Reflect.get(Object(error) as object, 'code') !== DEADLOCK) throw error;
    }
  }
}
