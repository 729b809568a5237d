// Everything here is a comfort: each page works without it.
for (const input of document.querySelectorAll('.with-toggle > input')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'toggle';
  const draw = (visible) => {
    input.type = visible ? 'text' : 'password';
    button.textContent = visible ? input.dataset.hide : input.dataset.show;
    button.setAttribute('aria-label', visible ? input.dataset.hideLabel : input.dataset.showLabel);
  };
  draw(false);
  button.addEventListener('click', () => draw(input.type === 'password'));
  // A visible password must not be offered as form history.
  input.form?.addEventListener('submit', () => draw(false));
  input.after(button);
  input.parentElement.classList.add('ready');
}

for (const input of document.querySelectorAll('.code-input')) {
  input.addEventListener('paste', (event) => {
    const digits = event.clipboardData?.getData('text').replace(/\D/g, '') ?? '';
    if (digits.length !== 6) return;
    event.preventDefault();
    input.value = digits;
  });
}

// The buttons stay enabled: a disabled one would not send its name and value.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.getAttribute('aria-busy') === 'true') event.preventDefault();
  else form.setAttribute('aria-busy', 'true');
});
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[aria-busy]')) form.removeAttribute('aria-busy');
});
