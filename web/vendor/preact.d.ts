export * from 'preact';
export * from 'preact/hooks';
export * from 'htm/preact';
export * from '@preact/signals';
