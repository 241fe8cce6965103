import { FIRST_TOKEN } from '../../lib/store/port/index.js';

/** How many claims of its task a token counts, its own included. */
export function claimCount(token: number): number {
  return Math.floor(token / FIRST_TOKEN);
}

export function isHeld(token: number): boolean {
  return token % 2 === 0;
}

/** An asymmetric matcher: any token of the `count`-th claim of a task while that is held. */
export function heldToken(count: number): unknown {
  return tokenMatcher(`the token of claim ${count}, held`, (token) => {
    return claimCount(token) === count && isHeld(token);
  });
}

/** An asymmetric matcher: any token that the `count`-th claim of a task leaves on its way out of Running. */
export function releasedToken(count: number): unknown {
  return tokenMatcher(`the token of claim ${count}, released`, (token) => {
    return claimCount(token) === count && !isHeld(token);
  });
}

/** Jest's interface of asymmetric matchers. */
function tokenMatcher(description: string, fits: (token: number) => boolean): unknown {
  return {
    $$typeof: Symbol.for('jest.asymmetricMatcher'),
    asymmetricMatch: (token: unknown) =>
      typeof token === 'number' && Number.isSafeInteger(token) && fits(token),
    toString: () => 'TokenMatcher',
    toAsymmetricMatcher: () => `<${description}>`,
  };
}
