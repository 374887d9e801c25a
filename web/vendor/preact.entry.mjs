// Preact with its hooks, its signals, and templates by htm: one module, since browsers know no package names.
export { Component, Fragment, h, render } from 'preact';
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
export { html } from 'htm/preact';
export { batch, computed, effect, signal, untracked, useComputed, useSignal } from '@preact/signals';
