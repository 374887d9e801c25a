import js from '@eslint/js';
import globals from 'globals';

const MARKUP = 'A map may hold any text: build elements, so that it never becomes markup.';

export default [
  { ignores: ['.venv/', 'bench/', 'node_modules/', 'web/vendor/*.js'] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-alert': 'error',
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-shadow': 'error',
      'no-unused-expressions': ['error', { allowShortCircuit: true, allowTernary: true }],
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: MARKUP },
        { property: 'outerHTML', message: MARKUP },
        { property: 'insertAdjacentHTML', message: MARKUP },
        { object: 'document', property: 'write', message: MARKUP },
      ],
    },
  },
  { files: ['admin/static/**', 'web/**'], languageOptions: { globals: globals.browser } },
  { files: ['eslint.config.js', 'tests/**', 'web/vendor/*.mjs'], languageOptions: { globals: globals.nodeBuiltin } },
];
