import { describeStore } from '../../conformance/describe-store.js';
import { openMemory } from './tested-memory.js';

describeStore('in memory', () => openMemory());
