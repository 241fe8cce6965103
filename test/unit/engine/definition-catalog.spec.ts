import { beforeEach, describe, expect, it } from '@jest/globals';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import {
  DefinitionCatalog,
  LOOK_INTERVAL_MS,
} from '../../../lib/engine/definitions/definition-catalog.js';
import { definitionIdOf, type CompiledWorkflow } from '../../../lib/workflow/index.js';
import { noLease, startOf } from '../../conformance/workflows.js';
import { EngineScene, registered } from './engine-scene.js';

/** What the code had before the last deploy, and what it has. */
const OLD = registered([{ name: 'a' }, { name: 'gone' }], { name: 'w' });
const NEW = registered([{ name: 'a' }], { name: 'w' });
const OTHER = registered([{ name: 'x' }], { name: 'other' });
const idOf = ({ definition }: RegisteredWorkflow) => definitionIdOf(definition.hash);

let scene: EngineScene;
let restored: Map<string, Promise<CompiledWorkflow>>;
let finds: string[];
let catalog: DefinitionCatalog;
beforeEach(async () => {
  scene = new EngineScene(OLD);
  restored = new Map();
  finds = [];
  const find = scene.store.definitions.find.bind(scene.store.definitions);
  scene.store.definitions.find = (id) => {
    finds.push(id);
    return find(id);
  };
  catalog = catalogOf();
});

function catalogOf(serves: (workflow: RegisteredWorkflow) => boolean = () => true) {
  const workflows = [NEW, OTHER];
  const registry = {
    list: () => workflows,
    get: (name: string) => workflows.find(({ definition }) => definition.name === name),
  };
  return new DefinitionCatalog(scene.store, registry, serves, scene.clock, restored);
}

/** Registers what the code had before the last deploy, with an execution of it. */
async function deployedBefore(): Promise<void> {
  await scene.catalog.open();
  await scene.start({ claims: 0 });
}

const stored = () => [...scene.store.handle.definitions.keys()].sort();

describe('DefinitionCatalog', () => {
  it("registers the code's definitions, and may claim their tasks", async () => {
    expect(catalog.isOpen).toBe(false);
    await catalog.open();
    expect(catalog.isOpen).toBe(true);
    expect(stored()).toEqual([idOf(NEW), idOf(OTHER)].sort());
    expect(catalog.claimable).toEqual({
      ids: [idOf(NEW), idOf(OTHER)],
      unknownTasks: [],
      limitedIds: [],
      limitedBy: new Map(),
      aging: [],
    });
  });

  it('registers nothing that is the newest already', async () => {
    await catalog.open();
    const known = await scene.store.definitions.known(['w', 'other']);
    expect(catalog.toRegister(known)).toEqual([]);
    scene.store.definitions.register = () => Promise.reject(new Error('nothing to store'));
    await catalogOf().open();
  });

  it('registers nothing, and reads nothing, for a caller that has done both', async () => {
    await catalog.open({ newest: [], active: [], paused: [] });
    expect([stored(), catalog.isOpen, finds]).toEqual([[], true, []]);
  });

  it('leaves to others the workflows that the tenant does not run', async () => {
    catalog = catalogOf(({ definition }) => definition.name !== 'other');
    await catalog.open();
    expect([catalog.names, stored()]).toEqual([['w'], [idOf(NEW)]]);
    await expect(catalog.toStart('other')).rejects.toMatchObject({ name: 'UnknownWorkflowError' });
  });

  it('loads older definitions of unfinished executions, and claims the tasks that it has handlers for', async () => {
    await deployedBefore();
    await catalog.open();
    expect(catalog.known(idOf(OLD))?.workflow.tasks).toHaveLength(2);
    expect(catalog.claimable.ids).toContain(idOf(OLD));
    expect(catalog.claimable.unknownTasks).toEqual([[idOf(OLD), 1]]);
  });

  it('reads an older definition once for all tenants', async () => {
    await deployedBefore();
    await catalog.open();
    const another = catalogOf();
    await another.open();
    expect(another.known(idOf(OLD))).toBeDefined();
    expect(finds).toEqual([idOf(OLD)]);
  });

  it('reads it again where the tenant before could not, and takes no other for it', async () => {
    await deployedBefore();
    const [{ hash } = { hash: '' }] = (await scene.store.definitions.known(['w'])).active;
    restored.set(hash, Promise.resolve(OTHER.definition));
    await catalog.open();
    expect(catalog.known(idOf(OLD))?.workflow.name).toBe('w');
    restored.set(hash, Promise.reject(new Error('away')));
    const again = catalogOf();
    await again.open();
    expect(again.known(idOf(OLD))?.workflow.name).toBe('w');
    expect(finds).toEqual([idOf(OLD), idOf(OLD)]);
  });

  it.each([
    ['is not the one of its id', { name: 'other' }],
    ['cannot be read', { definition: '{"format":1000}' }],
  ])('leaves alone a stored definition that %s', async (_, broken) => {
    await deployedBefore();
    Object.assign(scene.store.handle.definitions.get(idOf(OLD))!, broken);
    const rows = [{ id: idOf(OLD), hash: OLD.definition.hash, name: 'w' }];
    await catalog.open({ newest: [], active: rows, paused: [] });
    expect([catalog.isOpen, catalog.known(idOf(OLD))]).toEqual([true, undefined]);
    await expect(catalog.find(idOf(OLD))).rejects.toMatchObject({
      name: 'UnreadableDefinitionError',
    });
  });

  it('fails to open where the database fails', async () => {
    await deployedBefore();
    scene.store.definitions.find = () => Promise.reject(new Error('away'));
    await expect(catalog.open()).rejects.toThrow('away');
    expect(catalog.isOpen).toBe(false);
  });

  it('finds a definition by its id, and reads it once', async () => {
    await deployedBefore();
    const found = await catalog.find(idOf(OLD));
    expect(await catalog.find(idOf(OLD))).toBe(found);
    expect(finds).toEqual([idOf(OLD)]);
    await expect(catalog.find('42')).rejects.toThrow('it is missing');
  });

  it("starts the code's definition, or else the newest that is stored", async () => {
    expect((await catalog.toStart('w')).id).toBe(idOf(NEW));
    expect(catalog.currentOf('w')?.id).toBe(idOf(NEW));
    await deployedBefore();
    const elsewhere = catalogOf(() => false);
    const started = await elsewhere.toStart('w');
    expect([started.id, started.handlers]).toEqual([idOf(OLD), [undefined, undefined]]);
    expect(await elsewhere.toStart('w')).toBe(started);
    expect(elsewhere.claimable.ids).toEqual([]);
  });

  it('stores its definitions again that the database has lost', async () => {
    await catalog.open();
    scene.store.handle.definitions.clear();
    await catalog.registerAgain();
    expect(stored()).toEqual([idOf(NEW), idOf(OTHER)].sort());
  });

  it("looks for other releases' definitions, at most once in the interval", async () => {
    await scene.clock.advance(LOOK_INTERVAL_MS);
    expect(await catalog.lookForOthers()).toBe('nothing');
    await catalog.open();
    expect(await catalog.lookForOthers()).toBe('nothing');
    await deployedBefore();
    expect(await catalog.lookForOthers()).toBe('tooEarly');
    await scene.clock.advance(LOOK_INTERVAL_MS);
    expect(await catalog.lookForOthers()).toBe('found');
    expect(catalog.claimable.ids).toContain(idOf(OLD));
  });
});

describe("DefinitionCatalog, of the library's own workflows", () => {
  const BUILT_IN = registered([{ name: 'run' }], { name: 'cloacina.test' });
  const open = async (): Promise<DefinitionCatalog> => {
    const registry = { list: () => [NEW], get: () => NEW };
    // The tenant serves none of the application's.
    const made = new DefinitionCatalog(scene.store, registry, () => false, scene.clock, restored, [
      BUILT_IN,
    ]);
    await made.open();
    return made;
  };

  it('stores and claims one only when it is used', async () => {
    const own = await open();
    expect([stored(), own.claimable.ids]).toEqual([[], []]);
    const { id, handlers } = await own.builtIn('cloacina.test');
    expect([stored(), own.claimable.ids]).toEqual([[id], [id]]);
    expect(handlers[0]).toBeDefined();
    expect(await own.builtIn('cloacina.test')).toBe(own.known(id));
  });

  it('finds one that another process has begun to use', async () => {
    const own = await open();
    const other = await open();
    const { plan, id } = await other.builtIn('cloacina.test');
    await scene.store.start([startOf({ plan }, { claims: 0 })], noLease(), false);
    await scene.clock.advance(LOOK_INTERVAL_MS);
    expect(await own.lookForOthers()).toBe('found');
    expect(own.claimable).toEqual({
      ids: [id],
      unknownTasks: [],
      limitedIds: [],
      limitedBy: new Map(),
      aging: [],
    });
  });

  it('stores a used one again that the database has lost', async () => {
    const own = await open();
    const { id } = await own.builtIn('cloacina.test');
    scene.store.handle.definitions.clear();
    await own.registerAgain();
    expect(stored()).toEqual([id]);
  });

  it('has no other one', async () => {
    const own = await open();
    await expect(own.builtIn('cloacina.other')).rejects.toMatchObject({ code: 'UNKNOWN_WORKFLOW' });
    await expect(own.toStart('unknown')).rejects.toMatchObject({
      message: expect.not.stringContaining('cloacina.test'),
    });
  });
});
