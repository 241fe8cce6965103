import { describe, expect, it } from '@jest/globals';
import {
  checkDashboardOptions,
  type CloacinaDashboardOptions,
} from '../../../lib/dashboard/dashboard-options.js';
import { ConfigurationError } from '../../../lib/errors/index.js';

const guards = [{ canActivate: () => true }];

describe('the options of the dashboard', () => {
  it('have defaults', () => {
    expect(checkDashboardOptions({}, false)).toMatchObject({
      path: 'cloacina',
      guards: [],
      readOnly: false,
      maxStreams: 200,
      redact: [],
    });
    expect(checkDashboardOptions({ path: '/ops/cloacina/', guards }, true).path).toBe(
      'ops/cloacina',
    );
  });

  it('need a guard in production, or the word that none is needed', () => {
    expect(() => checkDashboardOptions({}, true)).toThrow(/has no guards.*public: true/);
    expect(() => checkDashboardOptions({ public: true }, true)).not.toThrow();
    expect(() => checkDashboardOptions({ guards }, true)).not.toThrow();
  });

  it.each([
    ['path', { path: 'a b' }],
    ['path', { path: '' }],
    ['path', { path: '../x/:id' }],
    ['public', { public: 'yes' }],
    ['readOnly', { readOnly: 1 }],
    ['maxStreams', { maxStreams: 0 }],
    ['maxStreams', { maxStreams: '9' }],
    ['tenants', { tenants: ['acme'] }],
    ['actor', { actor: 'me' }],
    ['guards', { guards: {} }],
    ['redact', { redact: 'card' }],
    ['gaurds', { gaurds: [] }],
  ])('an invalid %s is named: %j', (name, options) => {
    const check = () => checkDashboardOptions(options as CloacinaDashboardOptions, false);
    expect(check).toThrow(ConfigurationError);
    expect(check).toThrow(name);
  });
});
