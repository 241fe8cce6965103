import { describe, expect, it } from '@jest/globals';
import {
  isSigned,
  newNonce,
  readToken,
  signToken,
} from '../../../lib/engine/messages/signal-token.js';

const SECRET = 's'.repeat(32);
const OTHER = 'o'.repeat(32);
const CONTENT = {
  tenant: 'tenant "ä"',
  executionId: '01a22897-274d-7404-a213-f40b216e81d3',
  signal: 'approval',
  expiresAt: 1_800_000_000_000,
  nonce: 'n',
};
const token = signToken(CONTENT, SECRET);

describe('A token of a signal', () => {
  it('says what was signed, in characters that need no escaping in a URL', () => {
    expect(readToken(token)).toEqual(CONTENT);
    expect(isSigned(token, [SECRET])).toBe(true);
    expect(encodeURIComponent(token)).toBe(token);
  });

  it('is accepted with each of several secrets, and with no other', () => {
    expect(isSigned(token, [OTHER, SECRET])).toBe(true);
    expect(isSigned(token, [OTHER])).toBe(false);
    expect(isSigned(token, [])).toBe(false);
  });

  it('is refused after any change', () => {
    for (let i = 0; i < token.length; i++) {
      const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
      expect(readToken(changed) !== undefined && isSigned(changed, [SECRET])).toBe(false);
    }
    const [body = '', signature = ''] = token.split('.');
    for (const changed of [
      body,
      `${body}.`,
      `.${signature}`,
      `${token}.x`,
      `${token}=`,
      `${token} `,
    ]) {
      expect(isSigned(changed, [SECRET])).toBe(false);
    }
  });

  it('can’t be made from the parts of two tokens', () => {
    const other = signToken({ ...CONTENT, tenant: 'other' }, SECRET);
    expect(isSigned(`${other.split('.')[0]}.${token.split('.')[1]}`, [SECRET])).toBe(false);
  });

  it.each([
    undefined,
    null,
    7,
    '',
    'a.b',
    `${Buffer.from('[1]').toString('base64url')}.x`,
    `${Buffer.from('[1,2,3,4,5,6]').toString('base64url')}.x`,
    `${Buffer.from('{').toString('base64url')}.x`,
    'x'.repeat(5_000),
  ])('is not %p', (text) => {
    expect(readToken(text)).toBeUndefined();
  });

  it('has a nonce of its own', () => {
    const clock = { random: Math.random };
    expect(new Set(Array.from({ length: 1_000 }, () => newNonce(clock))).size).toBe(1_000);
  });
});
