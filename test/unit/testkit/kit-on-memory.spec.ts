import { describeKit } from './describe-kit.js';

describeKit('memory');
