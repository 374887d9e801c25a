/** Tells of each map and door that it reads, [[grid data, door], …], whether the editor lets somebody through it. */

import { readFileSync } from 'node:fs';

import { doorProblem } from '../../../admin/static/editor/doors.js';
import { GridDocument, readFrame } from '../../../web/shared/document.js';

const cases = JSON.parse(readFileSync(0, 'utf8'));
const answers = cases.map(([grid, door]) => doorProblem(new GridDocument(readFrame(grid)), door) === null);
process.stdout.write(JSON.stringify(answers));
