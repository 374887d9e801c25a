// Before the first paint: the colours that the system asks for.
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => {
  document.documentElement.dataset.bsTheme = dark.matches ? 'dark' : 'light';
};
dark.addEventListener('change', follow);
follow();
