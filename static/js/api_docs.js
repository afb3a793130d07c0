// Starts Swagger UI on the document that the page names. Nothing is sent to a foreign validator.
'use strict';

document.addEventListener('DOMContentLoaded', () => {
  const place = document.getElementById('swagger-ui');
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: true,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
  });
});
